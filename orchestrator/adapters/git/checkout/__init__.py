"""What a person does with git in his own checkout, as blocking functions for worker threads."""

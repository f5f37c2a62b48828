"""Services: what drives an item from start to done.

Three modules begin work for whoever asks: `change` a run, `finish` a delivery, `verification` a
check of one commit. Each does it inside `engine`, which owns the repository meanwhile. A run goes
story after story through `loop` and `attempts`, a delivery through `delivery`; both prepare and
check workspaces with `checks`. What changes something durable is one of the `commands`, done by
`handlers` with `records`; processes run where `hosting` says.
"""

"""A model on the loopback that follows a script: enough of Anthropic's Messages API for a CLI."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs


@attrs.frozen
class Say:
    """A turn that ends the conversation with a text."""

    text: str


@attrs.frozen
class Use:
    """A turn that calls a tool."""

    tool: str
    inputs: Mapping[str, Any]


@attrs.frozen
class Refuse:
    """Every request is answered with this HTTP status, the way the real service does."""

    status: int
    kind: str
    message: str = "refused by the script"
    headers: Mapping[str, str] = attrs.field(factory=dict)


def usage_limit(resets_at: int, claim: str = "five_hour") -> Refuse:
    """A subscription's limit is reached until then (Unix time in seconds)."""
    unified = {"status": "rejected", "reset": str(resets_at), "representative-claim": claim}
    return Refuse(
        429,
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
        {
            **{f"anthropic-ratelimit-unified-{name}": value for name, value in unified.items()},
            "x-should-retry": "false",
        },
    )


def overloaded() -> Refuse:
    """The service has more to do than it can."""
    return Refuse(529, "overloaded_error", "Overloaded")


Turn = Say | Use | Refuse
Answer = Callable[[str, int], Turn]
"""Chooses a turn by the prompt and by how many tool results have come back."""


@attrs.define
class Model:
    """A model that is being served.

    Attributes:
      answer: chooses its turns.
      asked: is set when the first request of a conversation has arrived.
      tokens: what each answer says it read, and half of that it wrote; money follows from it.
    """

    answer: Answer
    url: str = ""
    tokens: int = 10
    asked: threading.Event = attrs.field(factory=threading.Event)
    prompts: list[str] = attrs.field(factory=list)

    def environment(self, *, subscription: bool = False) -> dict[str, str]:
        """What makes a CLI talk to this model and to nobody else."""
        login = "sk-ant-oat01-" + "x" * 80
        return {
            "ANTHROPIC_BASE_URL": self.url,
            **(
                {"CLAUDE_CODE_OAUTH_TOKEN": login}
                if subscription
                else {"ANTHROPIC_API_KEY": "test"}
            ),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
        }

    def turn(self, request: Mapping[str, Any]) -> Turn:
        """Choose the answer to a request."""
        blocks = [
            block
            for message in request.get("messages", ())
            for block in (message["content"] if isinstance(message["content"], list) else ())
        ]
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        done = sum(block["type"] == "tool_result" for block in blocks)
        if not request.get("tools"):
            turn = self.answer("", 0)
            return turn if isinstance(turn, Refuse) else Say("a title")
        self.prompts.extend(texts)
        self.asked.set()
        return self.answer("\n".join(texts), done)


@contextmanager
def serve(*script: Turn, tokens: int = 10) -> Iterator[Model]:
    """Serve a model that follows a script, a turn for each tool result that came back."""
    with serve_answers(lambda _, done: script[min(done, len(script) - 1)], tokens) as model:
        yield model


@contextmanager
def serve_answers(answer: Answer, tokens: int = 10) -> Iterator[Model]:
    """Serve a model for as long as the block lasts."""
    model = Model(answer, tokens=tokens)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Be quiet."""

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            self._reply(200, {"data": []})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path.partition("?")[0].endswith("/count_tokens"):
                return self._reply(200, {"input_tokens": 1})
            turn = model.turn(request)
            if isinstance(turn, Refuse):
                error = {"type": turn.kind, "message": turn.message}
                document = {"type": "error", "error": error}
                return self._reply(turn.status, document, turn.headers)
            name = request.get("model", "")
            if not request.get("stream"):
                return self._reply(200, _message(name, [_block(turn)], _reason(turn), model.tokens))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for event in _events(name, turn, model.tokens):
                data = json.dumps(event)
                self.wfile.write(f"event: {event['type']}\ndata: {data}\n\n".encode())
            return None

        def _reply(
            self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
        ) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _block(turn: Say | Use) -> dict[str, Any]:
    if isinstance(turn, Say):
        return {"type": "text", "text": turn.text}
    identity = f"toolu_{uuid.uuid4().hex}"
    return {"type": "tool_use", "id": identity, "name": turn.tool, "input": dict(turn.inputs)}


def _reason(turn: Say | Use) -> str:
    return "end_turn" if isinstance(turn, Say) else "tool_use"


def _message(model: str, content: list[Any], reason: str | None, tokens: int) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": tokens, "output_tokens": tokens // 2},
    }


def _events(model: str, turn: Say | Use, tokens: int) -> Iterator[dict[str, Any]]:
    block = _block(turn)
    if isinstance(turn, Say):
        empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": turn.text}
    else:
        partial = json.dumps(dict(turn.inputs))
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": partial}
    yield {"type": "message_start", "message": _message(model, [], None, tokens)}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": _reason(turn), "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": tokens // 2}}
    yield {"type": "message_stop"}

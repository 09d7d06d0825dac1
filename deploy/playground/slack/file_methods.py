"""Uploading a file in Slack's three steps: ask for an address, POST the bytes there, share it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from deploy.playground.slack import people, records, workspace
from deploy.playground.slack.api_errors import ApiError

Json = dict[str, Any]
LARGEST = 20_000_000
FILES_KEPT = 50


class FileMethods:
    def __init__(self, space: workspace.Workspace, address: Callable[[], str]) -> None:
        self._space = space
        self._address = address

    @property
    def table(self) -> Mapping[str, Callable[[Json], Awaitable[Json]]]:
        return {"files.getUploadURLExternal": self.get_address, "files.completeUploadExternal": self.complete}

    async def get_address(self, asked: Json) -> Json:
        if not asked.get("filename") or not str(asked.get("length", "")).isdigit():
            raise ApiError("invalid_arguments", ["[ERROR] filename and length are required"])
        if int(asked["length"]) > LARGEST:
            raise ApiError("file_too_large")
        file_id = f"F{self._space.token(10).upper()}"
        self._space.files[file_id] = {"id": file_id, "name": str(asked["filename"]), "size": int(asked["length"]), "body": None}
        while len(self._space.files) > FILES_KEPT:
            del self._space.files[next(iter(self._space.files))]
        return {"upload_url": f"{self._address()}upload/{file_id}", "file_id": file_id}

    async def receive(self, request: web.Request) -> web.Response:
        file = self._space.files.get(request.match_info["file_id"])
        if file is None:
            return web.Response(status=404, text="no such upload")
        body = await request.read()
        if len(body) != file["size"]:
            return web.Response(status=400, text=f"expected {file['size']} bytes, got {len(body)}")
        file["body"] = body
        return web.Response(text=f"OK - {len(body)}")

    async def complete(self, asked: Json) -> Json:
        listed = asked.get("files")
        if not isinstance(listed, list) or not listed:
            raise ApiError("invalid_arguments", ["[ERROR] missing required field: files"])
        files = [self._space.files.get(str(entry.get("id"))) for entry in listed]
        if any(file is None or file["body"] is None for file in files):
            raise ApiError("file_not_found")
        shown = [
            {"id": file["id"], "name": file["name"], "title": entry.get("title") or file["name"], "size": file["size"]}
            for file, entry in zip(files, listed, strict=True)
            if file is not None
        ]
        if asked.get("channel_id"):
            channel = self._space.channels.get(str(asked["channel_id"]))
            if channel is None:
                raise ApiError("channel_not_found")
            if not channel.has_bot:
                raise ApiError("not_in_channel")
            self._space.post(
                records.Message(
                    channel=channel.id,
                    ts=self._space.next_ts(),
                    user=people.BOT_USER,
                    text=str(asked.get("initial_comment") or ""),
                    files=tuple(shown),
                    thread_ts=asked.get("thread_ts") or None,
                ),
            )
        return {"files": shown}

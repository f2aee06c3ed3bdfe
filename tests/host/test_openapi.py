"""Whether the OpenAPI document is true: of every route, and of all that can be answered."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from goassist_desktop.host.openapi import document
from tests.host.conftest import PAGE, TOKEN, Running, generous

ST = Path(sys.executable).parent / "st"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance,negative_data_rejection,"
    "unsupported_method,ignored_auth"
)


async def test_every_route_is_told_and_no_other(running: Running) -> None:
    routes = {
        (route.method, route.resource.canonical)
        for route in running.server._runner.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    told = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
    }
    sockets = {("GET", f"/sessions/{{session_id}}/{kind}") for kind in ("blendshapes", "pcm")}
    assert routes - {("GET", path) for path in PAGE} == told | sockets
    async with running.client.get("/openapi.json") as response:
        assert await response.json() == document()


def test_all_that_is_referred_to_is_there() -> None:
    text = str(document())
    schemas = document()["components"]["schemas"]
    for name in text.split("#/components/schemas/")[1:]:
        assert name.split("'")[0] in schemas


@pytest.mark.timeout(240)
async def test_it_is_true_whatever_is_asked(tmp_path: Path) -> None:
    async with Running(generous(), max_sessions=1000) as running:
        await running.create(session_id="mine")
        command = [
            ST, "run", f"{running.url}/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}",
            "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--seed", "1",
            "--max-examples", "25", "--no-color", "--generation-database", "none",
            # What decides is in the document; a code, a session or an offer are not.
            "--exclude-checks", "positive_data_acceptance",
        ]  # fmt: skip
        with (tmp_path / "out.txt").open("w+") as out:
            process = await asyncio.create_subprocess_exec(
                *map(str, command), stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path
            )
            status = await process.wait()
            out.seek(0)
            told = out.read()
    assert status == 0, told
    assert "passed" in told

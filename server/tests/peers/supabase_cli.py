"""Takes tokens that Supabase's own command line has minted (npm's supabase): python supabase_cli.py"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from gotrue import ANON_KEY, GoTrue, running_gotrue
from joserfc.jwk import JWKRegistry
from npm import NODE, installed
from server_fixtures import open_folder

from harness import Api, code_of, running_server
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres


def supabase(project: Path, *arguments: str) -> str:
    """What the command line says last."""
    packages = installed() / "node_modules"
    program = next(packages.glob("@supabase/cli-*/bin/supabase*"), packages / "supabase" / "bin" / "supabase")
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}", "DO_NOT_TRACK": "1"}
    program.chmod(0o755)
    done = subprocess.run([program, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def signing_key(algorithm: str) -> dict[str, Any]:
    """Outside of any project, else it is written into that."""
    with tempfile.TemporaryDirectory() as folder:
        key: dict[str, Any] = json.loads(supabase(Path(folder), "gen", "signing-key", "--algorithm", algorithm))
    return key


def minted(project: Path, keys: list[dict[str, Any]], issuer: str) -> tuple[str, str]:
    """A token under the first key of the project, and whose it is."""
    (project / "supabase" / "signing_keys.json").write_text(json.dumps(keys))
    user = str(uuid4())
    said = {"email": f"{user[:8]}@example.com", "iss": f"{issuer}/auth/v1", "aud": "authenticated", "session_id": str(uuid4())}
    claims = ["--role", "authenticated", "--sub", user, "--valid-for", "1h", "--payload", json.dumps(said)]
    return supabase(project, "gen", "bearer-jwt", *claims), user


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_gotrue() as gotrue:
        project = Path(folder)
        (project / "supabase").mkdir()
        config = 'project_id = "peer"\n[auth]\nsigning_keys_path = "./signing_keys.json"\n'
        (project / "supabase" / "config.toml").write_text(config)
        keys = {name: signing_key(name) for name in ("ES256", "RS256")}
        settings = {"auth_backend": "supabase", "supabase_url": gotrue.url, "supabase_anon_key": ANON_KEY}
        with ExitStack() as stack:
            postgres = stack.enter_context(EmbeddedPostgres(stack.enter_context(open_folder())))
            server = stack.enter_context(running_server(postgres.url, oauth_sandbox=False, **settings))
            check(stack.enter_context(Api(server)), gotrue, project, keys)
    print("supabase cli: ES256 and RS256 tokens taken, a rotated key too; a withdrawn one and another project's refused")


def check(api: Api, gotrue: GoTrue, project: Path, keys: dict[str, dict[str, Any]]) -> None:
    tokens = {name: minted(project, [key], gotrue.url) for name, key in keys.items()}
    publish(gotrue, keys["ES256"])
    assert seen(api, tokens["ES256"][0]) == tokens["ES256"][1]
    assert seen(api, tokens["RS256"][0]) == "AUTH_INVALID_TOKEN"  # not yet published
    publish(gotrue, keys["RS256"], keys["ES256"])
    wait(api)
    assert {seen(api, token) for token, _ in tokens.values()} == {user for _, user in tokens.values()}
    publish(gotrue, keys["RS256"])
    wait(api)
    stranger, _ = minted(project, [signing_key("ES256")], gotrue.url)
    assert seen(api, stranger) == "AUTH_INVALID_TOKEN"
    assert seen(api, tokens["ES256"][0]) == "AUTH_INVALID_TOKEN"
    assert seen(api, tokens["RS256"][0]) == tokens["RS256"][1]


def publish(gotrue: GoTrue, *keys: dict[str, Any]) -> None:
    gotrue.keys = [JWKRegistry.import_key(key) for key in keys]  # type: ignore[misc]


def wait(api: Api) -> None:
    """Until the server may look for keys again."""
    api.server.clock.offset += timedelta(seconds=11)


def seen(api: Api, token: str) -> str:
    """Whom the server takes the bearer for, or why for nobody."""
    answer = api.get("/api/v1/auth/profile/", headers={"Authorization": f"Bearer {token}"})
    return str(answer.json()["id"]) if answer.status_code == 200 else code_of(answer)


if __name__ == "__main__":
    sys.exit(main())

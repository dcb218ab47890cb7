"""What the speed claims rest on: ours beside its peers, in one run. `python benchmarks/run.py --help`"""

import tempfile
import time
from pathlib import Path

import catalogue
import servers
import traffic
from figures import Spread, ratio

from unpuzzle_server.kernel import schema
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

SECRET = "a key for benchmarks only, 32 or more"
SETTINGS = {"SECRET_KEY": SECRET, "PUBLIC_URL": "http://127.0.0.1:8000", "DATABASE_PREPARED_STATEMENTS": "true"} | {
    f"RATE_LIMIT_{name}": "1000000000" for name in ("ANONYMOUS", "AUTHENTICATED", "SIGN_IN", "SIGN_UP")
}


def say(l):
    print(f"{time.strftime('%H:%M:%S')} {l}", flush=True)


home = Path(tempfile.mkdtemp(prefix="unpuzzle-bench-"))
home.chmod(0o755)
with EmbeddedPostgres(home) as pg:
    say("fill")
    app = schema.prepare(pg.url, "", SECRET)
    catalogue.fill(pg.url)
    say("filled")
    with servers.running(SETTINGS, {"owner": pg.url, "app": app}) as s:
        for sc in traffic.scenarios(pg.url, s[0]):
            f = traffic.measure(sc, s, pg.pid, 3, 2, say)
            for n, x in f.items():
                print(
                    sc.name,
                    n,
                    Spread.of(x.per_second).shown(),
                    "srv",
                    Spread.of(x.server_ms).shown(2),
                    "pg",
                    Spread.of(x.postgres_ms).shown(2),
                    "p50",
                    Spread.of(x.median_ms).shown(),
                    "ratio",
                    ratio(f["ours"].per_second, x.per_second).shown(2),
                )

"""`python -m api`: serve the API and the dashboard as the settings say."""

import gc

import uvicorn

from api.main import create_app
from runs.settings import Settings

# Streams never end by themselves; when the server stops they are cut after so many seconds.
SHUTDOWN_S = 3
# Longer than clients keep an idle connection (httpx: 5 s), so that they close it and no request meets a closed one.
KEEP_ALIVE_S = 75


def main() -> None:
    settings = Settings()
    app = create_app(settings)
    gc.freeze()  # what is made once is not looked through again: that would stop every request for a tenth of a second
    uvicorn.run(
        app, host=settings.host, port=settings.port, timeout_graceful_shutdown=SHUTDOWN_S,
        timeout_keep_alive=KEEP_ALIVE_S, server_header=False, proxy_headers=settings.tls_terminated_by_proxy,
        forwarded_allow_ips=settings.proxy_addresses,
    )  # fmt: skip


if __name__ == "__main__":
    main()

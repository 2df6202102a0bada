"""`python -m api`: serve the API and the dashboard as the settings say."""

import uvicorn

from api.main import create_app
from runs.settings import Settings

# Streams never end by themselves; when the server stops they are cut after so many seconds.
SHUTDOWN_S = 3


def main() -> None:
    settings = Settings()
    uvicorn.run(
        create_app(settings), host=settings.host, port=settings.port, timeout_graceful_shutdown=SHUTDOWN_S,
        server_header=False, proxy_headers=settings.tls_terminated_by_proxy,
        forwarded_allow_ips=settings.proxy_addresses,
    )  # fmt: skip


if __name__ == "__main__":
    main()

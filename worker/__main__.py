"""`python -m worker`: claim runs and train them."""

import logging

from runs.settings import Settings
from worker.app import serve


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("worker").setLevel(logging.INFO)
    serve(Settings())


if __name__ == "__main__":
    main()

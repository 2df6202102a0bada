"""How long a call waits for a service that is away: tries again after waits that grow, within a time."""

import time

FIRST_S = 0.1
LONGEST_S = 1.0


class Patience:
    """Of one call. Its time begins with the first failure."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._wait_s = FIRST_S

    def again(self, within_s: float, at_least_s: float = 0.0) -> bool:
        """Whether to try again, and that wait is over; False at once if the time is up, or would be."""
        now = time.monotonic()
        self._began = self._began or now
        left_s = self._began + within_s - now
        if left_s <= at_least_s:
            return False
        time.sleep(max(at_least_s, min(self._wait_s, left_s)))
        self._wait_s = min(2 * self._wait_s, LONGEST_S)
        return True

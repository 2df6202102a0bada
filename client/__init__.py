"""What a person types: the Python client, the `trapo` command, and `trapo up` with everything embedded.

from client import Client

with Client.from_home() as trapo:
    run = trapo.submit({"method": "trapo", "model": {"source": "small_world"}, "data": {"format": "small_world"}})
    for event in trapo.follow([run.id]):
        print(event.type, event.data)
"""

from client.api import Client
from client.errors import ApiError, ClientError
from client.models import Plan, Run, RunDetail, RunEvent, Score

__all__ = ["ApiError", "Client", "ClientError", "Plan", "Run", "RunDetail", "RunEvent", "Score"]

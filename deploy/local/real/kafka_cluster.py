"""A local stack on three Kafka brokers instead of one: for tests of what a broker's end costs.

Apache Kafka only (kafka.py). Each is broker and controller; topics have three replicas, two of them in sync.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.real.kafka import broker
from deploy.local.site import ENGINE_VARIABLES
from deploy.local.stack import LocalStack

BROKERS = ("kafka-1", "kafka-2", "kafka-3")


class ClusterStack(LocalStack):
    """A LocalStack whose Kafka are the children `kafka-1` to `kafka-3`, to be killed and started one by one.

    Entering raises EngineMissing where Kafka or Java are not here.
    """

    def __init__(self, folder: Path, overrides: Mapping[str, Mapping[str, str]]) -> None:
        ports = free_ports(name for one in BROKERS for name in (one, f"{one}-controller"))
        environ = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(f"{LOOPBACK}:{ports[name]}" for name in BROKERS),
            "KAFKA_IDEMPOTENCE": "true",
            "KAFKA_REPLICATION_FACTOR": "3",
            "KAFKA_MIN_INSYNC_REPLICAS": "2",
        }
        engines = [name for name in ENGINE_VARIABLES if name != "kafka"]
        super().__init__(folder, engines=engines, ports=ports, environ=environ, overrides=overrides)

    async def start_all(self) -> None:
        """Start the brokers together, since they elect a controller by majority, then everything else."""
        await self._start_new([broker(self.site, name, BROKERS) for name in BROKERS])
        await super().start_all()

    async def stop_all(self) -> None:
        """Stop everything else, then end the brokers: the last of them could not hand over what it leads."""
        await super().stop_all()
        for name in BROKERS:
            if name in self.children:
                await self.kill(name)

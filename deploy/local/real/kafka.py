"""Apache Kafka in KRaft mode, one broker that is its own controller.

Its jars lie under .cache/kafka, where `make test-engines` puts them; the Java on PATH runs it.
"""

import shutil
from functools import partial

from deploy.local import ready
from deploy.local.processes import Program
from deploy.local.site import REPOSITORY, EngineMissing, Site, inherited

JARS = REPOSITORY / ".cache" / "kafka"
CLUSTER_ID = "cmVlbHdheS1rYWZrYS1vbg"

# What it keeps survives a kill -9; groups form at once, and may be as impatient as the tests are.
_KAFKA = """\
process.roles=broker,controller
node.id=1
listeners=INSIDE://{own},CONTROLLER://{controller}
advertised.listeners=INSIDE://{advertised}
listener.security.protocol.map=INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{controller}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
"""


def kafka(site: Site) -> Program:
    """Return the broker; its data are formatted once. Raises EngineMissing."""
    java = shutil.which("java")
    if java is None or not JARS.is_dir():
        raise EngineMissing("Kafka is not here: it takes Java 17 and `make test-engines`, which fetches it")
    folder = site.data("kafka")
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    properties.write_text(
        _KAFKA.format(
            own=site.own_address("kafka"),
            controller=site.own_address("kafka-controller"),
            advertised=site.address("kafka"),
            data=folder / "log",
        )
    )
    run = "[ -e log/meta.properties ] ||"
    run += ' "$0" -cp "$1/*" kafka.tools.StorageTool format --ignore-formatted -t "$2" -c "$3"'
    run += ' && exec "$0" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$1/*" kafka.Kafka "$3"'
    return Program(
        name="kafka",
        argv=["/bin/sh", "-c", run, java, str(JARS), CLUSTER_ID, str(properties)],
        env=inherited(site),
        folder=folder,
        url=site.url("kafka"),
        check=partial(ready.kafka, site.address("kafka")),
        grace_seconds=20,
    )

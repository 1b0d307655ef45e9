"""Apache Kafka in KRaft mode: one broker that is its own controller, or one of three that are.

Its jars lie under .cache/kafka, where `make test-engines` puts them; the Java on PATH runs it.
"""

import shutil
from collections.abc import Sequence
from functools import partial

from deploy.local import ready
from deploy.local.processes import Program
from deploy.local.site import REPOSITORY, EngineMissing, Site, inherited

JARS = REPOSITORY / ".cache" / "kafka"
CLUSTER_ID = "cmVlbHdheS1rYWZrYS1vbg"

# What it keeps survives a kill -9; groups form at once, and may be as impatient as the tests are.
_KAFKA = """\
process.roles=broker,controller
node.id={number}
listeners=INSIDE://{own},CONTROLLER://{controller}
advertised.listeners=INSIDE://{advertised}
listener.security.protocol.map=INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
log.dirs={data}
default.replication.factor={replicas}
min.insync.replicas={in_sync}
unclean.leader.election.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
"""


def kafka(site: Site) -> Program:
    """Return the only broker of this site. Raises EngineMissing."""
    return broker(site, "kafka", ("kafka",))


def broker(site: Site, name: str, cluster: Sequence[str]) -> Program:
    """Return the broker `name` of a cluster, its data formatted once; a majority has what is acknowledged.

    Each of the cluster listens on the port of its name, and as controller on that of `<name>-controller`.
    Raises EngineMissing.
    """
    java = shutil.which("java")
    if java is None or not JARS.is_dir():
        raise EngineMissing("Kafka is not here: it takes Java 17 and `make test-engines`, which fetches it")
    folder = site.data(name)
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "server.properties"
    voters = [f"{number}@{site.own_address(f'{one}-controller')}" for number, one in enumerate(cluster, 1)]
    properties.write_text(
        _KAFKA.format(
            number=cluster.index(name) + 1,
            own=site.own_address(name),
            controller=site.own_address(f"{name}-controller"),
            advertised=site.address(name),
            voters=",".join(voters),
            data=folder / "log",
            replicas=len(cluster),
            in_sync=len(cluster) // 2 + 1,
        )
    )
    run = "[ -e log/meta.properties ] ||"
    run += ' "$0" -cp "$1/*" kafka.tools.StorageTool format --ignore-formatted -t "$2" -c "$3"'
    run += ' && exec "$0" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$1/*" kafka.Kafka "$3"'
    return Program(
        name=name,
        argv=["/bin/sh", "-c", run, java, str(JARS), CLUSTER_ID, str(properties)],
        env=inherited(site),
        folder=folder,
        url=site.address(name),
        check=partial(ready.kafka, site.address(name)),
        grace_seconds=20 if len(cluster) == 1 else 2,  # the last of several has nobody to hand over to
    )

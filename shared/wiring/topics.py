"""The topics at the broker: made where they are missing, with the partitions and settings they are to have."""

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.contracts.topics import ALL, TopicSpec
from shared.wiring.cancellation import to_its_end
from shared.wiring.settings import CommonSettings

REQUEST_MS = 8_000

log = structlog.get_logger(__name__)


async def ensure_topics(settings: CommonSettings) -> bool:
    """Make what is missing; return whether anything was. Raises KafkaError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_servers, request_timeout_ms=REQUEST_MS)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [topic for topic in ALL if topic.name not in existing]
        if missing:
            await _make(admin, missing, settings)
        return bool(missing)
    finally:
        await to_its_end(admin.close())


async def _make(admin: AIOKafkaAdminClient, missing: list[TopicSpec], settings: CommonSettings) -> None:
    replicas, in_sync = settings.kafka_replication_factor, settings.kafka_min_insync_replicas
    durable = {} if in_sync is None else {"min.insync.replicas": str(in_sync)}
    made = await admin.create_topics(
        [NewTopic(one.name, one.partitions, replicas, topic_configs=one.config | durable) for one in missing]
    )
    for name, code, *_ in made.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise for_code(code)(name)
    log.info("kafka.topics_made", topics=[topic.name for topic in missing])

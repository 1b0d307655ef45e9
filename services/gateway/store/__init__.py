"""The gateway's own database: documents, indexes, every query; one file per collection."""

from services.gateway.settings import GatewaySettings
from services.gateway.store.accounts import Accounts, Sessions
from services.gateway.store.catalog import Catalog
from services.gateway.store.history import History
from services.gateway.store.receipts import Receipts
from services.gateway.store.signing_keys import SigningKeys
from services.gateway.store.tally import Tally
from services.gateway.store.throttle import Throttle
from services.gateway.store.timeline import Entries
from services.gateway.store.unjudged import Unjudged
from services.gateway.store.videos import Videos
from shared.wiring.runtime import Runtime


class Store:
    """All collections, and the outboxes of those whose documents carry events."""

    def __init__(self, runtime: Runtime, settings: GatewaySettings) -> None:
        database = runtime.mongo.database
        self.video_documents, self.receipt_documents = database["videos"], database["receipts"]
        self.video_outbox = runtime.outbox(self.video_documents)
        self.receipt_outbox = runtime.outbox(self.receipt_documents, keep=settings.webhook_memory)
        self.videos = Videos(self.video_documents, self.video_outbox, settings.reannounce_after)
        self.receipts = Receipts(self.receipt_documents, self.receipt_outbox, settings.reannounce_after)
        self.tally = Tally(self.video_documents)
        self.unjudged = Unjudged(self.receipt_documents)
        self.history = History(database["history"])
        self.timeline = Entries(database["timeline"])
        self.catalog = Catalog(database["catalog"])
        self.accounts = Accounts(database["users"])
        self.sessions = Sessions(database["sessions"])
        self.throttle = Throttle(database["throttle"], settings.login_window)
        self.signing_keys = SigningKeys(database["keys"])

    async def ensure_indexes(self) -> None:
        """Make every index of every collection."""
        for part in (
            self.videos,
            self.tally,
            self.receipts,
            self.history,
            self.timeline,
            self.catalog,
            self.accounts,
            self.sessions,
            self.throttle,
        ):
            await part.ensure_indexes()

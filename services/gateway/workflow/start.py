"""What the gateway needs in its database before it can let anyone in."""

from services.gateway.settings import GatewaySettings
from services.gateway.signing import Signer, new_key_pem
from services.gateway.store import Store
from services.gateway.workflow.logins import Logins


class Start:
    """Prepares the database; every step can be repeated, and by several replicas at once."""

    def __init__(self, settings: GatewaySettings, store: Store, signer: Signer, logins: Logins) -> None:
        self._settings = settings
        self._store = store
        self._signer = signer
        self._logins = logins

    async def prepare(self) -> None:
        """Make the database ready, agree on the signing key, keep the demo account. Raises PyMongoError."""
        await self._store.ensure_indexes()
        await self._store.receipts.ask_about_held()
        await self._load_key()
        email, password = self._settings.demo_email, self._settings.demo_password
        if email and password:
            await self._logins.keep_demo_account(email, password.get_secret_value())

    async def _load_key(self) -> None:
        given = self._settings.jwt_private_key
        if given is not None:
            self._signer.use(given.get_secret_value())
            return
        keys = self._store.signing_keys
        self._signer.use(await keys.stored() or await keys.agree_on(new_key_pem()))

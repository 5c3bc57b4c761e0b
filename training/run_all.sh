#!/bin/sh
# Runs all stages one after another, each until its clock time. Every stage resumes, so run this again after a stop.
# usage: training/run_all.sh RUN VAE_MINUTES GENERATOR_UNTIL JUDGE_UNTIL
# Data: RUN/data/train and RUN/data/validation; for the judge also RUN/data/portraits. TOWER_MINUTES=10 trains a contrastive text
# encoder first, which the generator then uses as it is; LENGTH=77 gives prompts 77 tokens instead of 32.
set -eu
[ $# -eq 4 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
run=$1 vae_minutes=$2 generator_until=$3 judge_until=$4
python=${PYTHON:-python}
export OMP_WAIT_POLICY=PASSIVE   # other work on the same cores must not make every parallel region spin
step() { echo "== $(date +%H:%M:%S) $*"; nice -n 3 "$python" -m training "$@"; }
[ -d "$run/tokenizer" ] || step vocabulary --run "$run" --length "${LENGTH:-32}"
step vae --run "$run" --data "$run/data/train" --validation "$run/data/validation" --minutes "$vae_minutes"
step latents --run "$run" --data "$run/data/train"
set --
if [ -n "${TOWER_MINUTES:-}" ]; then
  step tower --run "$run" --data "$run/data/train" --width 224 --minutes "$TOWER_MINUTES"
  set -- --tower "$run/tower"
fi
step generator --run "$run" --data "$run/data/train" --minutes 100000 --until "$generator_until" "$@"
set -- --run "$run" --data "$run/data/train"
[ ! -d "$run/data/portraits" ] || set -- "$@" --more "$run/data/portraits"
step judge "$@" --validation "$run/data/validation" --minutes 100000 --until "$judge_until"
step export --run "$run" --data "$run/data/train"

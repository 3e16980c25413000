#!/bin/sh
# A sweep on a Slurm cluster: an array of jobs, one a run. From the repository's root, on a disk that all nodes see:
#   mkdir -p runs
#   sbatch --array=1-$(build/release/lenet sweep models/sweeps/lab.json --list | wc -l) models/sweeps/slurm.sh models/sweeps/lab.json
# When the array has ended, `build/release/lenet sweep models/sweeps/lab.json` prints the table (and trains missing runs). A job
# that is cancelled, preempted or out of time saves a checkpoint first: the same sbatch continues with the remaining runs.
# If lenet is installed, use any folder, and `lenet` for `build/release/lenet`; $LENET names another program.
# Further arguments go to `lenet sweep`: --data DIR, -o DIR, --device cuda (then with sbatch --gpus-per-task=1).
#SBATCH --job-name=lenet-sweep
#SBATCH --output=runs/slurm-%A-%a.log
#SBATCH --open-mode=append
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=01:00:00
#SBATCH --signal=B:TERM@30
#SBATCH --requeue
built=build/release/lenet
[ -x $built ] || built=lenet
exec "${LENET:-$built}" sweep "$@" --run "${SLURM_ARRAY_TASK_ID:?submit this with sbatch --array=1-N}"

#!/bin/sh
# Stands before the real terraform in the sandbox's workflows and keeps the state of every folder
# between runs, whatever backend the folder declares: a runner's disk is gone after each job.
set -eu

folder=.
for word in "$@"; do
  case "$word" in
    -chdir=*) folder=${word#-chdir=} ;;
    -*) ;;
    *) break ;;
  esac
done

# A folder is known by its place in the repository, also in a second worktree or in a copy of an
# older commit below the runner's temporary folder.
here=$(cd "$folder" && pwd -P)
top=$here
while [ "$top" != / ] && [ ! -e "$top/.git" ] && [ "$(dirname "$top")" != "$RUNNER_TEMP" ]; do
  top=$(dirname "$top")
done
state=$TOWPATH_SANDBOX_STATE${here#"${top%/}"}

if [ -z "$TOWPATH_SANDBOX_TERRAFORM" ]; then
  exec "$TOWPATH_SANDBOX_PROGRAM" sandbox-terraform "$state" "$@"
fi

# An override file replaces the declared backend: developer.hashicorp.com/terraform/language/files/override
if [ -n "$(find "$here" -maxdepth 1 -name '*.tf*' -type f)" ]; then
  mkdir -p "$state"
  cat >"$here/towpath_sandbox_override.tf" <<OVERRIDE
terraform {
  backend "local" {
    path          = "$state/terraform.tfstate"
    workspace_dir = "$state/workspaces"
  }
}
OVERRIDE
fi

# What would configure the declared backend has no meaning for the local one.
for word in "$@"; do
  shift
  case "$word" in
    -backend-config=*) ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec "$TOWPATH_SANDBOX_TERRAFORM" "$@"

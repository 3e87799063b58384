MODULES += coordinator
coordinator_DIR := coordinator
coordinator_DEPS := tactic-cache wire problem base

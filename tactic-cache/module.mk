MODULES += tactic-cache
tactic-cache_DIR := tactic-cache
tactic-cache_DEPS := problem base
tactic-cache_LIBS := -llmdb -lzstd

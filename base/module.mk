MODULES += base
base_DIR := base
base_LIBS := -lsodium

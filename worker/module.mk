MODULES += worker
worker_DIR := worker
worker_DEPS := kernels wire engine-run device problem base
worker_TEST_DEPS := coordinator engine-build

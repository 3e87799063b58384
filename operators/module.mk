MODULES += operators
operators_DIR := operators
operators_DEPS := problem base

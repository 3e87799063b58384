MODULES += problem
problem_DIR := problem
problem_DEPS := base

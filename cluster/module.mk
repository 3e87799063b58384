MODULES += wire sim
wire_DIR := cluster/wire
wire_DEPS := problem base
wire_LIBS := -lzmq
sim_DIR := cluster/sim
sim_DEPS := coordinator wire problem base

# Thin names over cargo. Build output lives in the user's cache, outside the clone.
SHELL := /bin/bash
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dvt
export CARGO_TARGET_DIR ?= $(CACHE)/target
DUCKDB_VERSION := 1.5.6
DUCKDB_PACKAGE := @duckdb/node-bindings-linux-x64@1.5.6-r.1
DUCKDB_SHA256 := 3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633
export DUCKDB_LIB_DIR ?= $(CACHE)/duckdb-$(DUCKDB_VERSION)
export LD_LIBRARY_PATH := $(DUCKDB_LIB_DIR):$(LD_LIBRARY_PATH)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
CARGO_FLAGS := --release --locked --ignore-rust-version

.PHONY: test setup
setup: $(DUCKDB_LIB_DIR)/libduckdb.so /usr/lib/postgresql

# Tests run against real servers from Debian's packages, started by the tests themselves.
/usr/lib/postgresql:
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends postgresql

$(DUCKDB_LIB_DIR)/libduckdb.so:
	mkdir -p $(DUCKDB_LIB_DIR)
	command -v npm >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends npm; }
	cd $(DUCKDB_LIB_DIR) && npm pack --silent $(DUCKDB_PACKAGE) && tar xzf *.tgz --strip-components=1 package/libduckdb.so && rm -f *.tgz
	echo "$(DUCKDB_SHA256)  $@" | sha256sum -c - || { rm -f $@; exit 1; }

test: setup
	cargo test $(CARGO_FLAGS)

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
# Scale of the demo's data: 1 is about 1 GB.
SF ?= 0.1
DEMO := $(CACHE)/demo

.PHONY: demo test build setup bench
setup: $(DUCKDB_LIB_DIR)/libduckdb.so wasm-target

# Tests run against real servers from Debian's packages, started by the tests themselves.
/usr/bin/chromium:
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends chromium

/usr/lib/postgresql:
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends postgresql

/usr/sbin/mariadbd:
	$(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mariadb-server

$(DUCKDB_LIB_DIR)/libduckdb.so:
	mkdir -p $(DUCKDB_LIB_DIR)
	command -v npm >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends npm; }
	cd $(DUCKDB_LIB_DIR) && npm pack --silent $(DUCKDB_PACKAGE) && tar xzf *.tgz --strip-components=1 package/libduckdb.so && rm -f *.tgz
	echo "$(DUCKDB_SHA256)  $@" | sha256sum -c - || { rm -f $@; exit 1; }

# Plugins are WebAssembly. Adding the target can take a minute.
.PHONY: wasm-target
wasm-target:
	@rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null | xargs -r test -d 2>/dev/null || rustup target add wasm32-unknown-unknown

# A runnable distribution, as a release archive would hold it.
build: setup
	cargo build $(CARGO_FLAGS) -p dvt
	cargo run -q $(CARGO_FLAGS) -p xtask -- plugins
	cargo run -q $(CARGO_FLAGS) -p xtask -- planner
	mkdir -p dist/bin dist/lib dist/plugins/blank dist/planner
	cp -f $(CARGO_TARGET_DIR)/planner/*.wasm dist/planner/
	cp -f $(CARGO_TARGET_DIR)/release/dvt dist/bin/dvt
	cp -f $(DUCKDB_LIB_DIR)/libduckdb.so dist/lib/
	cp -f $(CARGO_TARGET_DIR)/plugins/*.wasm dist/plugins/
	cp -f $(CARGO_TARGET_DIR)/plugins/blank/connector.wasm dist/plugins/blank/

# A federated project over three embedded databases; its data and its home stay outside the clone.
demo: build
	cargo build $(CARGO_FLAGS) -p dvt-tests --bin demo-data
	mkdir -p $(DEMO) && rm -rf $(DEMO)/project && cp -r tests/projects/demo $(DEMO)/project
	$(CARGO_TARGET_DIR)/release/demo-data $(DEMO)/project/data $(SF)
	@cd $(DEMO)/project && export DVT_PROFILES_DIR=$(DEMO)/home DBT_PROFILES_DIR=. PATH="$(CURDIR)/dist/bin:$$PATH" && mkdir -p $(DEMO)/home && \
	  set -x && dvt build && dvt explain -s customer_revenue && dvt run -s daily_orders && dvt show -s region_report

# dbt-core as the oracle of tests/artifacts. Every version is pinned and nothing is resolved: one of its dependencies
# cannot be built from the package registry, and nothing here uses it.
DBT_VENV := $(CACHE)/dbt-1.12.6
export DBT_VENV
$(DBT_VENV)/bin/dbt: tests/artifacts/requirements.txt
	python3 -m venv $(DBT_VENV)
	$(DBT_VENV)/bin/pip install -q --disable-pip-version-check --no-deps -r $<
	touch $@

# Spark for the tests of what runs on it: the oldest and the newest that are supported, and the drivers of both servers from
# Debian's packages, unpacked without root. Only here versions are said. Both need a Java of 17 or newer.
PYSPARK_3 := 3.5.9
PYSPARK_4 := 4.3.0
export DVT_TEST_SPARK_3 := $(CACHE)/pyspark-$(PYSPARK_3)
export DVT_TEST_SPARK_4 := $(CACHE)/pyspark-$(PYSPARK_4)
export DVT_TEST_JARS := $(CACHE)/jars
JDBC_PACKAGES := libpostgresql-jdbc-java libmariadb-java
PYSPARKS := $(DVT_TEST_SPARK_3)/bin/pyspark $(DVT_TEST_SPARK_4)/bin/pyspark
$(CACHE)/pyspark-%/bin/pyspark:
	command -v java >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends openjdk-17-jre-headless; }
	python3 -m venv $(CACHE)/pyspark-$*
	$(CACHE)/pyspark-$*/bin/pip install -q --disable-pip-version-check pyspark==$*
	touch $@

# What Spark Connect's client needs besides.
$(DVT_TEST_SPARK_4)/connect: $(DVT_TEST_SPARK_4)/bin/pyspark
	$(DVT_TEST_SPARK_4)/bin/pip install -q --disable-pip-version-check "pyspark[connect]==$(PYSPARK_4)"
	touch $@

$(DVT_TEST_JARS)/ready:
	mkdir -p $(DVT_TEST_JARS)
	folder=$$(mktemp -d) && cd $$folder && apt-get download -q $(JDBC_PACKAGES) && for package in *.deb; do dpkg-deb -x $$package .; done && \
	  find usr/share/java -name '*.jar' -type f -exec cp {} $(DVT_TEST_JARS)/ \; && rm -rf $$folder
	touch $@

.PHONY: spark test-spark
spark: $(PYSPARKS) $(DVT_TEST_SPARK_4)/connect $(DVT_TEST_JARS)/ready

# The whole matrix: both lines of versions. `make test` runs the newest one's only.
test-spark: setup spark /usr/lib/postgresql /usr/sbin/mariadbd build
	cargo run -q $(CARGO_FLAGS) -p xtask -- outsider
	cargo run -q $(CARGO_FLAGS) -p xtask -- plugins
	for spark in $(DVT_TEST_SPARK_3) $(DVT_TEST_SPARK_4); do DVT_TEST_SPARK=$$spark cargo test $(CARGO_FLAGS) -p dvt-tests --test spark -- --test-threads 1 || exit 1; done

test: setup spark /usr/lib/postgresql /usr/sbin/mariadbd /usr/bin/chromium $(DBT_VENV)/bin/dbt
	tests/run_suites.sh $(CARGO_FLAGS)

# The planner in a page; `make playground` serves it on a free loopback port and prints the address.
.PHONY: playground playground-page
PAGE := web-playground
$(PAGE)/node_modules: $(PAGE)/package-lock.json
	command -v npm >/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends npm; }
	cd $(PAGE) && npm ci --silent && touch node_modules

playground-page: wasm-target $(PAGE)/node_modules
	cargo run -q $(CARGO_FLAGS) -p xtask -- playground
	cd $(PAGE) && npm run --silent check && npm run --silent build

playground: playground-page
	node $(PAGE)/serve.mjs

# The second table of tests/bench/README.md: dbt-core 1.12 and 2.0 beside dvt. GENERATOR is the project generator's path,
# JAFFLE is a folder with jaffle_shop as published.
GENERATOR ?= ../shared/bench/generate_project.py
DBT2_VENV := $(CACHE)/dbt-2.0.0a4
$(DBT2_VENV)/bin/dbt:
	python3 -m venv $(DBT2_VENV)
	$(DBT2_VENV)/bin/pip install -q --disable-pip-version-check --no-deps --only-binary :all: dbt-core==2.0.0a4

.PHONY: bench-dbt
bench-dbt: build $(DBT_VENV)/bin/dbt $(DBT2_VENV)/bin/dbt
	DVT_PLUGIN_PATH=$(CURDIR)/dist/plugins python3 tests/bench/dbt.py --dvt dist/bin/dvt --dbt $(DBT_VENV)/bin/dbt --dbt2 $(DBT2_VENV)/bin/dbt \
	  --generator $(GENERATOR) $(if $(JAFFLE),--jaffle $(JAFFLE))

# Prints the table of moved rows and bytes of tests/bench/README.md. SCALE is TPC-H's; the JDBC driver is Debian's, unpacked.
SCALE ?= 0.1
DUCKDB_PEER := $(CACHE)/duckdb-1.5.5
JDBC := $(CACHE)/jdbc/usr/share/java/postgresql.jar
$(DUCKDB_PEER)/bin/python:
	python3 -m venv $(DUCKDB_PEER)
	$(DUCKDB_PEER)/bin/pip install -q --disable-pip-version-check duckdb==1.5.5 duckdb-extension-postgres-scanner==1.5.5

$(JDBC):
	mkdir -p $(CACHE)/jdbc
	cd $(CACHE)/jdbc && apt-get download -q libpostgresql-jdbc-java && dpkg-deb -x libpostgresql-jdbc-java*.deb . && touch $@

.PHONY: bench-moved
bench-moved: setup /usr/lib/postgresql /usr/sbin/mariadbd $(DUCKDB_PEER)/bin/python $(JDBC) $(CACHE)/pyspark-4.3.0/bin/pyspark
	cargo run $(CARGO_FLAGS) -p dvt-tests --bin moved -- $(SCALE) "$(DUCKDB_PEER)/bin/python $(CURDIR)/tests/bench/peer_duckdb.py" \
	  "$(CACHE)/pyspark-4.3.0/bin/python $(CURDIR)/tests/bench/peer_spark.py $(JDBC)"

# Prints the table of both computes of tests/bench/README.md. ROWS are the events of each job.
ROWS ?= 1000000 10000000
.PHONY: bench-spark
bench-spark: build spark /usr/lib/postgresql /usr/sbin/mariadbd
	cargo run $(CARGO_FLAGS) -p dvt-tests --bin bench_spark -- $(CURDIR)/dist/bin/dvt $(CURDIR)/dist/plugins $(DVT_TEST_SPARK_4) $(DVT_TEST_JARS) $(ROWS)

# Prints the first table of tests/bench/README.md.
bench: build /usr/lib/postgresql /usr/sbin/mariadbd
	cargo run -q $(CARGO_FLAGS) -p xtask -- outsider
	cargo run $(CARGO_FLAGS) -p dvt-tests --bin bench -- $(CURDIR)/dist/bin/dvt $(CURDIR)/dist/plugins $(GENERATOR)

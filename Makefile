# `make` alone lists the targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# So that .ci/run can report where the time goes.
ifdef MINUTES
SHELL := $(CURDIR)/packaging/timed.sh
.SHELLFLAGS = $@ -c
endif

# Where it is set, each of the thousand processes that tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' sriov_bootstrap/__init__.py)
DEB := dist/sriov-bootstrap_$(VERSION)_all.deb
RPM_ARCH := $(shell uname -m)
RPMS := $(foreach el,9 10,dist/sriov-bootstrap-$(VERSION)-1.el$(el).$(RPM_ARCH).rpm)
SDIST := dist/sriov_bootstrap-$(VERSION).tar.gz
WHEEL := dist/sriov_bootstrap-$(VERSION)-py3-none-any.whl
INSTALLED := build/wheel/$(notdir $(WHEEL))
PACKAGES := $(DEB) $(RPMS) $(WHEEL) $(SDIST)
BIN := .venv/bin

# Exactly what a build sees: builds run on a copy, so that they leave nothing in the checkout and use nothing stale from it.
# Directories are listed too, since their time shows that a file was removed.
MODULE_SOURCES := sriov_bootstrap pyproject.toml README.md LICENSE
WHEEL_SOURCES := $(MODULE_SOURCES) docs/man packaging/build_backend.py packaging/completions units
DEB_SOURCES := $(MODULE_SOURCES) CHANGELOG.md docs packaging units
SDIST_SOURCES := $(DEB_SOURCES) CONTRIBUTING.md MANIFEST.in Makefile tests
files = $(shell find $(1) -name __pycache__ -prune -o -print 2>/dev/null)
copy = rm -rf $(2) && mkdir -p $(2) && tar -c --exclude=__pycache__ $(1) | tar -x --no-same-owner -C $(2)

# Each test goes to the process that is free, in their order: tests/support/side_by_side.py. Each process has guests of its
# own, of 2 GiB each, which wait for a third of their time: so there are three processes for two processors.
PARALLEL := --numprocesses $(shell n=$$(nproc); echo $$((n * 3 / 2 < 6 ? (n * 3 + 1) / 2 : 6)))

# The only time in everything that is built: that of the last changelog entry.
export SOURCE_DATE_EPOCH := $(shell date -d "$$(sed -n 's/^ -- .*>  //p;T;q' packaging/debian/changelog)" +%s)

# pytest as a script, never `python -m pytest`: that would put the checkout before the installed package.
PYTEST := SRIOV_BOOTSTRAP_DEB=$(CURDIR)/$(DEB) PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest --cov

# How much the long runs do; docs/reliability.md has their results.
FUZZ_EXAMPLES := 5000
MODEL_RUNS := 3000
SOAK_MINUTES := 30
FLEET_HOSTS := 1000
N := 200
MEASURE := none
CYCLES := 100
JOBS := 2
PYTHON := $(BIN)/python

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## install what build, lint and tests need: Debian packages (as root) and .venv
	@packaging/setup.sh

lint: audit style types contracts ## ruff, mypy, import contracts, known vulnerabilities

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports --no-logo

# Needs the package index's vulnerability data; reports if there is none, which fails a release.
audit: setup
	@$(BIN)/python packaging/audit.py $(AUDIT_OPTIONS)

locks: setup ## update packaging/locks from pyproject.toml and the lists there; UPGRADE=1 takes the newest versions
	$(BIN)/python packaging/locks.py $(if $(UPGRADE),--upgrade)

wheel: setup .venv/.wheel

# In .venv, so that it goes when what is installed goes; and setup's stamp is newer once .venv has been created again.
.venv/.wheel: $(INSTALLED) .venv/.setup | setup
	$(BIN)/pip --quiet install --no-deps --force-reinstall $(INSTALLED)
	touch $@

.venv/.setup: setup ;

$(INSTALLED): $(call files,$(WHEEL_SOURCES)) | setup
	$(call copy,$(WHEEL_SOURCES),build/wheel/tree)
	$(BIN)/pip --quiet wheel --no-deps --no-build-isolation --wheel-dir build/wheel build/wheel/tree
	touch $@

sdist: setup $(SDIST) $(SDIST).cdx.json $(WHEEL).cdx.json ## build the source distribution, and the wheel from it, into dist/

$(SDIST): $(call files,$(SDIST_SOURCES)) | setup
	$(call copy,$(SDIST_SOURCES),build/sdist/tree)
	$(BIN)/python -m build --no-isolation --outdir dist build/sdist/tree >build/sdist/build.log 2>&1 || \
	    { cat build/sdist/build.log >&2; exit 1; }

$(WHEEL): $(SDIST)

# The bill of materials of each package is beside it.
%.cdx.json: % packaging/sbom.py | setup
	$(BIN)/python packaging/sbom.py $< >$@

deb: setup $(DEB) $(DEB).cdx.json ## build the Debian package into dist/

# The PATH excludes Python versions not installed by Debian: its build tools need its own. -d: setup has installed what is
# needed, and the compiler in build-essential is not.
$(DEB): $(call files,$(DEB_SOURCES)) | setup
	@[ "$$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)" = "$(VERSION)" ] || \
	    { echo "packaging/debian/changelog and sriov_bootstrap/__init__.py disagree on the version" >&2; exit 1; }
	$(call copy,$(DEB_SOURCES),build/deb/tree)
	mv build/deb/tree/packaging/debian build/deb/tree/debian
	cd build/deb/tree && PATH=/usr/sbin:/usr/bin:/sbin:/bin dpkg-buildpackage -d -us -uc -b >../build.log 2>&1 || \
	    { cat ../build.log >&2; exit 1; }
	mkdir -p dist && mv build/deb/$(notdir $@) $@

# Everything that is published, in dist/, with SHA256SUMS. Nothing is released without vulnerability data.
release: AUDIT_OPTIONS := --release
release: audit lint lintian rpmlint sdist collection ## all packages, checked and audited, their bills of materials, checksums
	cd dist && sha256sum $(notdir $(PACKAGES) $(addsuffix .cdx.json,$(PACKAGES)) $(COLLECTION)) >SHA256SUMS

ANSIBLE_SOURCES := packaging/ansible CHANGELOG.md LICENSE
COLLECTION := dist/sriov_bootstrap-host-$(VERSION).tar.gz

ansible-setup: setup
	tests/ansible/setup.sh

collection: ansible-setup $(COLLECTION) ## build the Ansible collection into dist/

$(COLLECTION): $(call files,$(ANSIBLE_SOURCES)) | ansible-setup
	$(call copy,$(ANSIBLE_SOURCES),build/ansible/tree)
	mv build/ansible/tree/CHANGELOG.md build/ansible/tree/LICENSE build/ansible/tree/packaging/ansible
	build/ansible/venv/bin/ansible-galaxy collection build --force --output-path dist build/ansible/tree/packaging/ansible

ansible-specs: setup ## write the variables of the Ansible role, from the schema of the config
	$(BIN)/python packaging/ansible_specs.py >packaging/ansible/roles/sriov_bootstrap/meta/argument_specs.yml

# Every complaint is fixed, or has its reason in packaging/debian/sriov-bootstrap.lintian-overrides.
lintian: deb ## check the Debian package
	@said=$$(lintian --allow-root --pedantic --display-info $(DEB) 2>&1) && [ -z "$$said" ] || { echo "$$said" >&2; exit 1; }

rpm: setup $(RPMS) $(addsuffix .cdx.json,$(RPMS)) ## build the packages for CentOS Stream and RHEL, 9 and 10, into dist/

dist/sriov-bootstrap-$(VERSION)-1.el%.$(RPM_ARCH).rpm: $(SDIST)
	packaging/rpm/build.sh $(SDIST) $(CURDIR)/dist $*

rpmlint: rpm ## check the .rpm packages
	rpmlint --strict -c packaging/rpm/rpmlint.toml packaging/rpm/sriov-bootstrap.spec $(RPMS) $(patsubst %.$(RPM_ARCH).rpm,%.src.rpm,$(firstword $(RPMS)))

lab-setup: setup
	@tests/lab/setup.sh

lab-images: lab-setup
	@tests/lab/image_tools.sh
	@$(BIN)/python tests/lab/images.py

test-fast: setup ## lint and every test that needs no VM; without coverage, which `make test` checks
	@$(MAKE) -j --output-sync=line lint wheel collection
	$(PYTEST) --no-cov $(PARALLEL) -m "not lab and not openstack and not cloud"

test-newest: setup lab-setup wheel collection ## those of test-fast with the newest release of each dependency; PYTHON=3.15: on that one, Debian sid's if there is no other; TESTS=PATH; not in `make test`
	$(BIN)/python tests/newest/run.py $(PYTHON) $(PARALLEL) -m "not lab and not openstack and not cloud" $(TESTS)

openstack-setup: setup lab-setup # one apt at a time
	@tests/openstack/setup.sh

test-openstack: openstack-setup lab-images wheel deb ## nova's and neutron's own code on rendered files; Debian's agent in the lab VM
	$(PYTEST) --no-cov -m openstack

cloud-setup: setup
	@tests/cloud/setup.sh $(RELEASE)

test-cloud: cloud-setup wheel ## verify openstack against real keystone, neutron, its agent, OVN, nova and placement on this machine; RELEASE=older for nova 28 and neutron 23; not in `make test`
	SRIOV_CLOUD_RELEASE=$(RELEASE) $(PYTEST) --no-cov --durations=0 --durations-min=1 tests/cloud

prepare: lint lintian rpmlint lab-images openstack-setup wheel collection

test: setup ## lint, package, every test but the longest of the lab VM; includes test-openstack
	@$(MAKE) -j --output-sync=line prepare
	$(PYTEST) $(PARALLEL) --durations=20 -m "not long and not cloud"

test-lab: openstack-setup lab-images wheel deb collection ## every test in the lab VM, with those that take too long for `make test`
	$(PYTEST) --no-cov $(PARALLEL) --durations=0 --durations-min=1 -m lab

test-cycles: openstack-setup lab-images wheel deb ## libvirt takes one VF and gives it back CYCLES times, 100 by default, with the daemon at work; not in `make test`
	SRIOV_CYCLES=$(CYCLES) $(PYTEST) --no-cov tests/lab/openstack/test_cycles.py

test-verify: setup lab-setup wheel deb collection ## verify with real libvirt, QEMU and KVM, and a VM that boots, in the lab VM; not in `make test`
	SRIOV_REAL_VM=1 $(PYTEST) --no-cov --durations=0 --durations-min=1 -s tests/lab/verify

test-nics: setup lab-setup wheel deb collection ## the lab's tests on the kernel from Debian's backports, and those of other NICs; not in `make test`
	SRIOV_LAB_FLAVOUR=nics $(PYTEST) --no-cov -m "lab and not openstack"

test-sid: setup lab-setup wheel deb collection ## the lab's tests on Debian sid; not in `make test`
	SRIOV_LAB_FLAVOUR=sid $(PYTEST) --no-cov -m "lab and not openstack"

boots: setup lab-setup ## boot the lab's guest N times and count hangs; MEASURE=one-cpu and others, LATE_TICKS=1
	$(BIN)/python tests/lab/boots.py -n $(N) --measure $(MEASURE) $(if $(LATE_TICKS),--late-ticks)

demo: setup lab-setup deb ## boot the lab VM and show the main features
	$(BIN)/python tests/lab/demo.py

bench: setup lab-setup deb wheel ## what it costs, as ratios to what it replaces, in the lab VM; BASE=COMMIT: against that build
	$(BIN)/python tests/lab/bench.py $(if $(BASE),--base $(BASE))

bench-peers: setup lab-setup deb ## what other programs that set VFs cost, beside ours and the rc.local loop, in the lab VM
	packaging/venv.sh build/peers/venv peers
	$(BIN)/python tests/lab/bench_peers.py

bench-switchdev: setup lab-setup deb wheel ## a pass that sets modes of switches, compared with devlink, in the lab VM
	$(BIN)/python tests/lab/bench_switches.py

bench-verify: setup wheel ## `verify host` over eight PFs, compared with one PF after the other; no VM
	$(BIN)/python tests/bench/verify_host.py

bench-files: setup wheel ## `migrate` and `doctor` with 2,000 units and 500 scripts, compared with the build of BASE (796f9ed); no VM
	$(BIN)/python tests/bench/host_files.py $(if $(BASE),--base $(BASE))

bench-metrics: setup wheel ## what the metrics cost the daemon, compared with the build of BASE (796f9ed); no VM
	$(BIN)/python tests/bench/metrics.py $(if $(BASE),--base $(BASE))

fleet-bench: setup wheel ## half an hour: what one Prometheus needs for FLEET_HOSTS simulated hosts
	$(BIN)/python tests/fleet/bench.py --hosts $(FLEET_HOSTS) $(FLEET_OPTIONS)

servers: setup wheel ## compare our HTTP server with aiohttp and hypercorn under hostile peers; docs/reliability.md has the table
	packaging/venv.sh build/servers/venv servers
	$(BIN)/python tests/servers/compare.py

consumers: setup wheel ## write what units and manual say of consumers, from the table of packagings
	$(BIN)/python packaging/consumers.py

# The schema is part of the package, which is then built again, for `golden` in the same run.
schema: setup wheel ## write the JSON Schema of the config, from the types and the manual
	$(BIN)/python packaging/schema.py >sriov_bootstrap/templates/config.schema.json
	@$(MAKE) wheel

codes: setup wheel ## write docs/doctor.md, from the codes of doctor
	$(BIN)/python packaging/codes.py >docs/doctor.md

drivers: setup wheel ## write docs/drivers.md, from the table of drivers
	$(BIN)/python packaging/drivers.py >docs/drivers.md

completions: setup wheel ## write the completions for bash, zsh and fish, from the parser
	$(BIN)/python packaging/completions.py packaging/completions

site: setup ## build a web site from the manuals: build/site/html
	$(BIN)/python packaging/site/build.py . build/site

# test_golden.py reads the page of metrics that test_metrics.py writes.
golden: setup wheel ## rewrite tests/golden; a difference in tests/golden/api breaks someone's program
	UPDATE_GOLDEN=1 $(BIN)/pytest --no-cov -q tests/edges/test_metrics.py tests/commands/test_render.py tests/test_golden.py

mixin: setup ## render alerts, recording rules and dashboard from packaging/prometheus/*.libsonnet
	jsonnet --string --multi packaging/prometheus packaging/prometheus/render.jsonnet >/dev/null
	jsonnet --jpath packaging/prometheus --multi packaging/grafana \
	    --exec '(import "mixin.libsonnet").grafanaDashboards' >/dev/null

fuzz: setup wheel ## try FUZZ_EXAMPLES new inputs on each parser, and count them
	SRIOV_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/pytest -q tests/fuzz/test_fuzz.py tests/fuzz/test_fuzz_host.py

soak-model: setup wheel ## MODEL_RUNS new runs of the model of a host on which anything may happen
	SRIOV_MODEL_EXAMPLES=$(MODEL_RUNS) $(BIN)/pytest -q tests/test_model.py

mutants: setup wheel ## count the small mistakes in core, conflicts and doctor that no test notices, among N; SEED, JOBS=1
	$(BIN)/python tests/mutants/run.py --count $(N) --seed $(or $(SEED),1) --jobs $(JOBS)

soak: setup lab-setup deb ## SOAK_MINUTES of random real faults in the lab VM; SEED=N repeats a run
	$(BIN)/python tests/lab/soak.py --minutes $(SOAK_MINUTES) $(if $(SEED),--seed $(SEED))

clean: ## remove what builds and tests made, except .venv and the lab's images
	rm -rf build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find sriov_bootstrap tests -name __pycache__ -prune -exec rm -rf {} +

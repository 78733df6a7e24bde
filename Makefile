# SPDX-License-Identifier: MIT
# GreenPi. `make help` lists the targets.
#
# Sources are found by their place: a program is its folder, common/ is one archive, test/unit/x_test.c and
# test/fuzz/x_fuzz.c are programs of their own. Adding a file needs no edit here.

BUILD      ?= build
PREFIX     ?= /usr
SYSCONFDIR ?= /etc
DESTDIR    ?=
CC         ?= gcc
SAN        ?=
COVER      ?=
FUZZ_SECONDS ?= 20
PYTHON     ?= /usr/bin/python3
# The summary names what was skipped, and why.
PYTEST     := $(PYTHON) -m pytest -rs

# Objects of different flags never meet: a sanitizer build has a folder of its own.
comma := ,
O := $(BUILD)$(if $(SAN),/$(subst $(comma),-,$(SAN)),$(if $(COVER),/cover,/release))
SAN_CHECK := address,undefined

DIR_lbd := lb
DIR_vipd := vipd
DIR_edged := edge
DIR_healthd := healthd
DIR_greenpictl := ctl
# A program is built once its folder has a main.c; until then its modules are built for the tests that name them.
PROGRAMS := $(foreach p,lbd vipd edged healthd greenpictl,$(if $(wildcard $(DIR_$(p))/main.c),$(p)))
DIRS := $(foreach p,$(PROGRAMS),$(DIR_$(p)))
# The program that a folder makes.
$(foreach p,$(PROGRAMS),$(eval PROGRAM_$(DIR_$(p)) := $(p)))

PKGS_common  := inih libsystemd libxxhash
PKGS_vipd    := libnl-3.0 libnl-route-3.0
PKGS_healthd := libcurl libmariadb
PKGS_ALL     := $(PKGS_common) $(PKGS_vipd) $(PKGS_healthd)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
	-Wcast-align -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wconversion -Wno-sign-conversion \
	-Wnull-dereference
ifeq ($(findstring clang,$(CC)),)
WARN += -Wduplicated-cond -Wduplicated-branches -Wlogical-op
endif
ifdef CI
WARN += -Werror
endif

OPT_release := -O2 -g -D_FORTIFY_SOURCE=2
OPT_san     := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
OPT_cover   := -O0 -g --coverage
OPT := $(if $(SAN),$(OPT_san),$(if $(COVER),$(OPT_cover),$(OPT_release)))
# 64-bit file offsets and times on 32-bit boards too.
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
CFLAGS += -std=gnu17 $(OPT) -fstack-protector-strong -fPIE -pthread $(WARN)
LDFLAGS += -pie -Wl,-z,relro,-z,now -pthread $(if $(SAN),-fsanitize=$(SAN)) $(if $(COVER),--coverage)

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS_ALL) 2>/dev/null)
# 64-bit atomics of the oldest boards (ARMv6) are calls into libatomic.
LIBS_atomic := -Wl,--push-state,--as-needed -latomic -Wl,--pop-state
LIBS_common := $(shell pkg-config --libs $(PKGS_common) 2>/dev/null) -lev -lm $(LIBS_atomic)
LIBS_vipd := $(shell pkg-config --libs $(PKGS_vipd) 2>/dev/null)
LIBS_healthd := $(shell pkg-config --libs $(PKGS_healthd) 2>/dev/null)

COMMON_SRC := $(sort $(wildcard common/*/*.c common/*.c))
COMMON_OBJ := $(COMMON_SRC:%.c=$(O)/obj/%.o)
COMMON_LIB := $(O)/libcommon.a
UNIT_SRC := $(sort $(wildcard test/unit/*_test.c))
UNIT_BIN := $(UNIT_SRC:test/unit/%.c=$(O)/unit/%)
# What several unit tests share: an archive that all are linked with.
UNIT_HELP := $(filter-out $(UNIT_SRC),$(sort $(wildcard test/unit/*.c)))
UNIT_LIB := $(O)/libunit.a
FUZZ_SRC := $(sort $(wildcard test/fuzz/*_fuzz.c))
REPLAY_BIN := $(FUZZ_SRC:test/fuzz/%_fuzz.c=$(O)/fuzz/%_replay)
FUZZ_BIN := $(FUZZ_SRC:test/fuzz/%.c=$(O)/fuzz/%)
ALL_SRC := $(COMMON_SRC) $(foreach d,$(DIRS),$(sort $(wildcard $(d)/*.c)))
ALL_HDR := $(sort $(wildcard common/*/*.h common/*.h $(DIRS:%=%/*.h)))
TEST_SRC := $(sort $(wildcard test/*/*.c))
TEST_HDR := $(sort $(wildcard test/*/*.h))

ifndef V
say = @printf '  %-5s %s\n' $(1) $(2);
endif

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all unit unit-threads fuzz-replay fuzz-run fuzz check integration integration-threads chaos lint lint-tidy lint-cppcheck lint-shell format format-check check-layers \
	check-symbols check-headers doc docs docs-check install uninstall deps build-deps demo fresh system cost soak bench cover clean help

all: $(PROGRAMS:%=$(O)/%) ## build the four daemons and greenpictl (SAN=address,undefined or thread)

# ---- programs: all of a folder but main.c is also an archive, which unit tests link
define program
$(1)_SRC := $$(sort $$(wildcard $$(DIR_$(1))/*.c))
$(1)_OBJ := $$($(1)_SRC:%.c=$(O)/obj/%.o)
$(1)_LIB := $(O)/lib$(1).a
$$($(1)_OBJ): INCLUDES := -Icommon -I$$(DIR_$(1))
$$($(1)_LIB): $$(filter-out %/main.o,$$($(1)_OBJ))
$(O)/$(1): $(O)/obj/$$(DIR_$(1))/main.o $$($(1)_LIB) $(COMMON_LIB)
	$$(call say,LD,$$@) $$(CC) $(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $$(LIBS_$(1)) $(LIBS_common)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(COMMON_OBJ): INCLUDES := -Icommon
$(COMMON_LIB): $(COMMON_OBJ)

$(O)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@) $(AR) rcs $@ $^

$(O)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(INCLUDES) -MMD -MP -c -o $@ $<

# ---- tests: a line "// TEST-OF: lb" gives a test that folder's headers and archive beside common's.
# One look at all of them: words such as test/unit/pick_test.c=lb.
TEST_OF := $(shell awk '/^\/\/ TEST-OF:/ { print FILENAME "=" $$3 }' $(UNIT_SRC) $(FUZZ_SRC) /dev/null)
test_of = $(patsubst $(1)=%,%,$(filter $(1)=%,$(TEST_OF)))

# $(1) source, $(2) program, $(3) the program of the folder under test, $(4) more objects and flags
define test_program
$(O)/obj/$(1:%.c=%.o): INCLUDES := -Icommon -I$(dir $(1)) $(addprefix -I,$(call test_of,$(1)))
$(2): $(O)/obj/$(1:%.c=%.o) $(4) $(if $(3),$(O)/lib$(3).a) $(COMMON_LIB)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@) $$(CC) -o $$@ $$(filter %.o %.a,$$^) $(LIBS_$(3)) $(LIBS_common) $(5) $(LDFLAGS)
endef
$(foreach t,$(UNIT_SRC),$(eval $(call test_program,$(t),$(t:test/unit/%.c=$(O)/unit/%),$(PROGRAM_$(call test_of,$(t))),$(UNIT_LIB),-lcmocka)))
$(foreach t,$(FUZZ_SRC),$(eval $(call test_program,$(t),$(t:test/fuzz/%_fuzz.c=$(O)/fuzz/%_replay),$(PROGRAM_$(call test_of,$(t))),$(O)/obj/test/fuzz/replay.o)))
$(foreach t,$(FUZZ_SRC),$(eval $(call test_program,$(t),$(t:test/fuzz/%.c=$(O)/fuzz/%),$(PROGRAM_$(call test_of,$(t))),,-fsanitize=fuzzer)))
$(O)/obj/test/fuzz/replay.o: INCLUDES := -Icommon
$(UNIT_HELP:%.c=$(O)/obj/%.o): INCLUDES := -Icommon -Itest/unit
$(UNIT_LIB): $(UNIT_HELP:%.c=$(O)/obj/%.o)

unit: $(UNIT_BIN) ## build and run the unit tests (SAN=...: on that build)
	@.ci/unit $^

# Where threads meet, the thread sanitizer looks on too.
UNIT_THREADS := $(if $(UNIT_SRC),$(shell grep -lE 'pthread_create|worker_set_start|thrd_create|rig_(setup|begin)|memory_ask' $(UNIT_SRC)))
unit-threads: $(UNIT_THREADS:test/unit/%.c=$(O)/unit/%)
	@.ci/unit $^

fuzz-replay: $(REPLAY_BIN)
	@.ci/replay $^

fuzz-run: $(FUZZ_BIN)
	@.ci/fuzz $(BUILD)/corpus $(FUZZ_SECONDS) $^

fuzz: ## fuzz every parser for FUZZ_SECONDS (20) each, with clang's libFuzzer
	$(MAKE) CC=clang SAN=fuzzer-no-link,$(SAN_CHECK) FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz-run

# Each step is a make of its own: before deps, the libraries that this make has looked for may have been missing.
# They compile on all cores, unless -j said how many.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
check: ## everything that must pass: unit tests, corpora, integration on sanitizer builds, cost, systemd (root)
	.ci/deps build lab test
	@failed=; \
	$(MAKE) $(JOBS) SAN=$(SAN_CHECK) unit || failed="$$failed unit"; \
	$(MAKE) $(JOBS) SAN=thread unit-threads || failed="$$failed unit-threads"; \
	$(MAKE) $(JOBS) SAN=$(SAN_CHECK) fuzz-replay || failed="$$failed fuzz-replay"; \
	$(MAKE) $(JOBS) SAN=$(SAN_CHECK) integration || failed="$$failed integration"; \
	$(MAKE) $(JOBS) integration-threads || failed="$$failed integration-threads"; \
	$(MAKE) $(JOBS) chaos || failed="$$failed chaos"; \
	$(MAKE) $(JOBS) docs-check || failed="$$failed docs-check"; \
	$(MAKE) $(JOBS) cost || failed="$$failed cost"; \
	$(MAKE) $(JOBS) system || failed="$$failed system"; \
	[ -z "$$failed" ] || { echo "check: FAILED:$$failed"; exit 1; }

ifdef SAN
integration: all
	GREENPI_BUILD=$(abspath $(O)) $(PYTEST) test/integration $(PYTEST_ARGS)
else
integration: ## daemons of the sanitizer build in the lab's network namespaces (root; PYTEST_ARGS="-k name")
	$(MAKE) SAN=$(SAN_CHECK) integration
endif

# The daemons of many threads.
THREADED := $(addprefix test/integration/test_,lbd.py edged.py edged_lifetimes.py limits.py proxy_protocol.py tunnels.py)
integration-threads: ## the same of lbd and edged on the thread sanitizer's build
	$(MAKE) SAN=thread all
	GREENPI_BUILD=$(abspath $(BUILD)/thread) $(PYTEST) $(THREADED) $(PYTEST_ARGS)

# The clients and origins of the chaos test, the same for all builds: no sanitizer slows them.
$(O)/chaos: $(sort $(wildcard test/chaos/*.c test/chaos/*.h))
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CPPFLAGS) -std=gnu17 -O2 -g $(WARN) -o $@ $(filter %.c,$^)

# Bad clients and origins, and a busy operator: on the build of SAN, else on both builds with sanitizers.
ifdef SAN
chaos: all $(O)/chaos
	GREENPI_BUILD=$(abspath $(O)) $(PYTEST) -s test/chaos $(PYTEST_ARGS)
else
chaos: ## bad clients, bad origins, a busy operator, on both sanitizer builds (root; CHAOS_SEED, CHAOS_SECONDS=30)
	$(MAKE) SAN=$(SAN_CHECK) chaos
	$(MAKE) SAN=thread chaos
endif

cost: all $(O)/count_allocs.so ## system calls, allocations and memory of the build that ships, against their limits (root)
	GREENPI_BUILD=$(abspath $(O)) $(PYTEST) test/cost $(PYTEST_ARGS)

$(O)/count_allocs.so: test/cost/count_allocs.c
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CPPFLAGS) -std=gnu17 -O2 -Wall -Wextra -fPIC -shared -o $@ $<

system: all ## a board with a real systemd: install, start, restart under load, stop (root)
	$(PYTEST) test/system

soak: ## the same for longer, with restarts and crashes in between (root; CHAOS_SECONDS=300)
	$(MAKE) CHAOS_RESTARTS=1 CHAOS_SECONDS=$(or $(CHAOS_SECONDS),300) chaos

bench: all ## side by side with the peers: CPU a request, as ratios
	.ci/deps bench
	GREENPI_BUILD=$(abspath $(O)) $(PYTHON) test/bench/bench.py $(BENCH_ARGS)

cover: ## line coverage of the unit tests (gcovr), to build/cover/index.html
	$(MAKE) COVER=1 unit
	cd $(BUILD)/cover && gcovr -r $(CURDIR) --object-directory . --exclude '.*test/.*' \
		--html-details index.html --print-summary .

# ---- looks at the source
lint: lint-tidy lint-cppcheck lint-shell ## clang-tidy, cppcheck, shellcheck

lint-tidy:
	@.ci/tidy "$(CPPFLAGS) -std=gnu17 $(PKG_CFLAGS)" $(ALL_SRC) $(UNIT_SRC) $(UNIT_HELP) $(FUZZ_SRC)

lint-cppcheck:
	@.ci/cppcheck "$(CPPFLAGS)" $(ALL_SRC)

SHELL_SRC := $(filter-out .ci/layers,$(wildcard .ci/*)) $(sort $(wildcard test/*/*.sh))
lint-shell:
	@shellcheck $(SHELL_SRC)
	@echo "shellcheck: $(words $(SHELL_SRC)) files clean"

FORMAT := clang-format --style=file
format: ## put every source into the house's format
	$(FORMAT) -i $(ALL_SRC) $(ALL_HDR) $(TEST_SRC) $(TEST_HDR)

format-check: ## is it in the house's format?
	@$(FORMAT) --dry-run --Werror $(ALL_SRC) $(ALL_HDR) $(TEST_SRC) $(TEST_HDR)
	@echo "format-check: $(words $(ALL_SRC) $(ALL_HDR) $(TEST_SRC) $(TEST_HDR)) files in format"

check-layers: ## includes point down: daemon, then common's layers in their order
	@.ci/layers $(ALL_SRC) $(ALL_HDR)

check-symbols: $(ALL_SRC:%.c=$(O)/obj/%.o) ## exported names start with their file's stem
	@.ci/symbols $(O)/obj $^

check-headers: ## every header compiles alone
	@.ci/headers "$(CC) $(CPPFLAGS) -std=gnu17 $(WARN) $(PKG_CFLAGS)" $(ALL_HDR)

MAN := $(wildcard $(DIRS:%=%/*.[18]) conf/*.5)
docs: ## check the manual pages and print them as text to build/docs
	@mkdir -p $(BUILD)/docs
	@.ci/docs $(BUILD)/docs $(MAN)

# The pages' sections of the configuration are made from the tables of keys.
DOC_PAGES := $(foreach p,$(filter-out greenpictl,$(PROGRAMS)),$(DIR_$(p))/$(p).8)
doc: all ## write what the daemons print with --doc into their manual pages
	@.ci/doc write $(O) $(DOC_PAGES)

docs-check: all ## do the pages say what --doc prints, are the files of conf/ good, do HACKING's names exist?
	@.ci/names HACKING README
	@.ci/doc check $(O) $(DOC_PAGES)

# ---- on a machine
SBINDIR := $(DESTDIR)$(PREFIX)/sbin
BINDIR  := $(DESTDIR)$(PREFIX)/bin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man
DOCDIR  := $(DESTDIR)$(PREFIX)/share/doc/greenpi
LIBDIR  := $(DESTDIR)$(PREFIX)/lib
CONFDIR := $(DESTDIR)$(SYSCONFDIR)/greenpi
UNITS   := $(wildcard systemd/*.service systemd/*.target systemd/*.socket)
# Where the programs went, in the files that name them.
PLACED  := sed -e 's,/usr/sbin/,$(PREFIX)/sbin/,g' -e 's,/usr/bin/greenpictl,$(PREFIX)/bin/greenpictl,g' \
	-e 's,/etc/greenpi/,$(SYSCONFDIR)/greenpi/,g'

install: all ## programs, pages, units, configuration: DESTDIR= PREFIX=/usr SYSCONFDIR=/etc
	install -d $(SBINDIR) $(BINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 $(DOCDIR) $(CONFDIR) \
		$(LIBDIR)/systemd/system $(LIBDIR)/sysusers.d $(LIBDIR)/tmpfiles.d $(LIBDIR)/sysctl.d
	install -m 755 $(filter-out %/greenpictl,$(PROGRAMS:%=$(O)/%)) $(SBINDIR)
	install -m 755 $(O)/greenpictl $(BINDIR)
	@set -ex; for m in $(MAN); do install -m 644 $$m $(MANDIR)/man$${m##*.}/; done
	@set -ex; for u in $(notdir $(UNITS)); do $(PLACED) systemd/$$u >$(LIBDIR)/systemd/system/$$u; \
		chmod 644 $(LIBDIR)/systemd/system/$$u; done
	install -m 644 systemd/greenpi.sysusers $(LIBDIR)/sysusers.d/greenpi.conf
	install -m 644 systemd/greenpi.tmpfiles $(LIBDIR)/tmpfiles.d/greenpi.conf
	install -m 644 systemd/greenpi.sysctl $(LIBDIR)/sysctl.d/50-greenpi.conf
	install -m 644 $(wildcard README LICENSE conf/*.conf) $(DOCDIR)
	@set -ex; to=$(CONFDIR)/greenpi.conf; \
		if [ ! -e $$to ]; then install -m 640 conf/greenpi.conf $$to; \
		elif ! cmp -s conf/greenpi.conf $$to; then install -m 640 conf/greenpi.conf $$to.new; fi
	@[ -n "$(DESTDIR)" ] || echo "now: systemd-sysusers && systemd-tmpfiles --create greenpi.conf &&" \
		"systemctl restart systemd-sysctl && systemctl daemon-reload"

uninstall: ## what install put there; a configuration that was changed stays
	rm -f $(filter-out %/greenpictl,$(PROGRAMS:%=$(SBINDIR)/%)) $(BINDIR)/greenpictl
	rm -f $(foreach m,$(MAN),$(MANDIR)/man$(lastword $(subst ., ,$(m)))/$(notdir $(m)))
	rm -f $(addprefix $(LIBDIR)/systemd/system/,$(notdir $(UNITS)))
	rm -f $(LIBDIR)/sysusers.d/greenpi.conf $(LIBDIR)/tmpfiles.d/greenpi.conf $(LIBDIR)/sysctl.d/50-greenpi.conf
	rm -f $(addprefix $(DOCDIR)/,$(notdir $(wildcard README LICENSE conf/*.conf))) $(CONFDIR)/greenpi.conf.new
	@if cmp -s conf/greenpi.conf $(CONFDIR)/greenpi.conf; then rm -f $(CONFDIR)/greenpi.conf; fi
	-@rmdir $(DOCDIR) $(CONFDIR) 2>/dev/null || true

build-deps: ## install what building needs: enough for a board (Debian 12)
	.ci/deps build

deps: ## install what building and testing need (Debian 12; starts no service)
	.ci/deps build lab test

demo: ## four boards, a switch and a page to look at, in network namespaces (root; DEMO_SECONDS=20 ends by itself)
	.ci/deps build lab
	$(MAKE) $(JOBS) all
	GREENPI_BUILD=$(abspath $(O)) DEMO_SECONDS=$(DEMO_SECONDS) $(PYTHON) test/lab/demo.py

FRESH ?= make demo DEMO_SECONDS=20 && make check
fresh: export FRESH := $(FRESH)
fresh: ## the README's two commands on a bare Debian 12, as committed (root, 15 minutes; FRESH="make demo ...")
	@.ci/fresh commit "$$FRESH"

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

-include $(shell find $(O) -name '*.d' 2>/dev/null)

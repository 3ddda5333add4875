# thimble: `make help` tells what there is. Only `make`, `make run` and
# `make test` need to be known; each prepares what it needs by itself.

SHELL := /bin/sh
CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=

ARCH := $(shell uname -m)
# The release target; where it cannot be had, the host's own makes the same
# freestanding program.
MUSL := $(ARCH)-unknown-linux-musl
TARGET ?= $(shell tests/tools/target.sh $(MUSL))
OUT = target/$(TARGET)/release/thimble

# At most so many bytes, on x86_64: a ratchet. The aim is 44 KiB for all there is to be.
BUDGET := 71931

BUSYBOX := target/images/busybox
DEBIAN := target/images/debian
PYTHON := target/images/python
MACHINES := target/images/machine-amd64 target/images/machine-arm64

.DEFAULT_GOAL := all

all: ## build target/thimble for this machine
	@$(CARGO) build --release --locked --target $(TARGET)
	@tests/tools/place.sh $(OUT) target/thimble
	@echo "target/thimble: $$(wc -c <target/thimble) bytes"

run: all ## a shell in a small container; without a terminal, a short tour
	@tests/tools/image.sh busybox $(BUSYBOX)
	@tests/tools/run.sh $(BUSYBOX)

test: deps all ## everything the tests need, then all tests
	@tests/tools/image.sh busybox $(BUSYBOX)
	@tests/tools/image.sh debian $(DEBIAN)
	@tests/tools/image.sh python $(PYTHON)
	@for image in $(MACHINES); do tests/tools/image.sh $${image##*/} $$image || exit; done
	THIMBLE=$(CURDIR)/target/thimble $(CARGO) test --locked
	@# The same program, built for debugging: most tests do without.
	THIMBLE=$(CURDIR)/target/debug/thimble $(CARGO) test --locked --test article --test life

i686: deps ## the same for the build for i686, on an x86_64 machine; TESTS="--test isolation" for a part
	@tests/tools/deps.sh i686-unknown-linux-gnu i686
	@tests/tools/target.sh i686-unknown-linux-musl >/dev/null
	@$(CARGO) build --release --locked --target i686-unknown-linux-musl
	THIMBLE=$(CURDIR)/target/i686-unknown-linux-musl/release/thimble \
		$(CARGO) test --locked --target i686-unknown-linux-gnu $(TESTS)

aarch64: deps ## most of them with the build for aarch64, in a virtual machine; TESTS="isolation" for a part
	@tests/tools/target.sh aarch64-unknown-linux-gnu >/dev/null
	@tests/tools/target.sh aarch64-unknown-linux-musl >/dev/null
	@tests/tools/image.sh busybox $(BUSYBOX)
	@tests/tools/image.sh suite-arm64 target/images/suite-arm64
	@tests/tools/suite.sh target/images/suite-arm64 $(TESTS)

deps: ## what the tests need, installed where it is missing (Debian, root)
	@tests/tools/deps.sh $(MUSL)

lint: ## formatting and clippy, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --features leave-out -- -D warnings
	$(CARGO) clippy --locked --target $(TARGET) -- -D warnings

size: all ## the size of the binary, its parts, and whether it keeps to the budget
	@tests/tools/size.sh target/thimble $(TARGET) $(BUDGET)

bench: deps all ## time and system calls, beside the article's program in C
	@tests/tools/image.sh busybox $(BUSYBOX)
	@tests/tools/bench.sh $(BUSYBOX)

peers: deps all ## how bwrap, crun, runc and unshare do in an initramfs: the table in README.md
	@tests/tools/image.sh busybox $(BUSYBOX)
	@tests/tools/image.sh machine-amd64 target/images/machine-amd64
	UPDATE_GOLDEN=1 THIMBLE=$(CURDIR)/target/thimble $(CARGO) test --locked --test peers

dist: ## build for all five architectures, or those that this machine can build for
	@tests/tools/dist.sh

reproducible: all ## two builds in two places, compared byte for byte
	@tests/tools/reproducible.sh $(TARGET)

install: all ## to $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 target/thimble $(DESTDIR)$(PREFIX)/bin/thimble

clean: ## remove what was built, and the images
	rm -rf target

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1\t/p' Makefile | expand -t 24


.PHONY: all run test i686 aarch64 deps lint size bench peers dist reproducible install clean help

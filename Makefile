# What the project does, in commands. Each target installs what it lacks and says so; none asks a question.
#
#   make demo    a telephone call over real SIP and RTP, with no account, no key and no network
#   make test    every test there is, end-to-end tests with real peers among them (what CI runs)
#   make check   the fast lane: format, lints, dependencies, unit and integration tests
#   make e2e     the end-to-end tests alone
#   make web     the dashboard, from React to what goes into the binary (npm)
#   make bench   figures of cost, pacing and memory (release build)
#   make soak    10,000 short calls, and whether anything of them is left (release build)
#   make outage  a minute without Firestore, with 20 calls and 200 lines up

.PHONY: demo test check e2e web bench soak outage help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

demo:
	@scripts/demo

test:
	@scripts/peers
	@scripts/web
	@scripts/test

check:
	@scripts/check

e2e:
	@scripts/peers
	@scripts/web
	@scripts/test e2e

web:
	@scripts/web

bench:
	@scripts/bench

soak:
	@cargo bench --locked -p callie-server --bench soak -- --calls 10000

outage:
	@CALLIE_OUTAGE_SECONDS=60 cargo test --locked -p callie-server --test firestore outage -- --nocapture

# The front door. `make help` lists what there is.

SITE ?= lab
INVENTORY ?= inventory/$(SITE)
# A scenario exists because its directory does.
SCENARIOS ?= $(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml))
# V=1 streams the output of every step.
V ?=
ARGS ?=

VENV := .venv/bin
# A recipe that needs SITE begins with this: it must be there before anybody is asked for its password.
SITES = $(patsubst inventory/%/hosts.yml,%,$(wildcard inventory/*/hosts.yml))
NO_SITE = $(if $(filter inventory/$(SITE),$(INVENTORY)),$(if $(filter $(SITE),$(SITES)),,There is no site $(SITE). There is: $(SITES). A new one: make site SITE=<name>))
CHECK_SITE = $(if $(NO_SITE),$(error $(NO_SITE)))
# Asks for the vault password unless it comes from a file, from ARGS, or from the lab.
ASK_VAULT_PASS = $(if $(or $(ANSIBLE_VAULT_PASSWORD_FILE),$(findstring vault,$(ARGS)),$(filter -J,$(ARGS)),$(filter inventory/lab inventory/lab/%,$(INVENTORY))),,--ask-vault-pass)
# $(call playbook,NAME): run playbooks/NAME.yml for SITE.
playbook = $(CHECK_SITE)@$(VENV)/ansible-playbook playbooks/$(1).yml --inventory "$$INVENTORY" $(ASK_VAULT_PASS)

LAB = lab/with-docker $(VENV)/python -m lab $(if $(V),--verbose)

export INVENTORY
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_VAULT_IDENTITY_LIST := lab@$(CURDIR)/lab/vault-key
export PATH := $(CURDIR)/$(VENV):$(PATH)
# Ansible insists on a UTF-8 locale; a bare machine may have none.
export LC_ALL ?= C.UTF-8

.DEFAULT_GOAL := help
.PHONY: help up down status call ssh smoke registrations blocked render site secrets phones update test beside lint unit scenarios bench docs venv engine clean

help: ## List the targets
	@echo 'make TARGET [V=1] [SITE=production] [ARGS=...]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- The lab -------------------------------------------------------------------------------------

up: engine ## From whatever is there to a deployed lab that has just carried a call each way
	@$(LAB) up

down: venv ## Remove the lab; its images stay cached
	@$(LAB) down

status: venv ## Say which hosts of the lab run, and where
	@$(LAB) status

call: venv ## Place one call each way through the lab's PBX
	@$(LAB) call

ssh: venv ## Log in to the lab's server
	@$(VENV)/python -m lab ssh

# --- A site ---------------------------------------------------------------------------------------

site: ## Make inventory/SITE from the example; its own vault comes with `make secrets SITE=...`
	@case '$(SITE)' in lab|production|*[!a-z0-9-]*|'') \
	    echo 'Name the new site in small letters, digits and dashes: make site SITE=<name>' >&2; exit 2;; esac
	@[ ! -e inventory/$(SITE) ] || { echo 'inventory/$(SITE) is there already' >&2; exit 2; }
	@rm -rf inventory/.$(SITE).new
	@cp -R inventory/production inventory/.$(SITE).new
	@rm -f inventory/.$(SITE).new/group_vars/pbx/vault.yml*
	@mv inventory/.$(SITE).new inventory/$(SITE)
	@echo 'Made inventory/$(SITE). Write what is true of it into hosts.yml and group_vars/pbx/model.yml, then: make secrets SITE=$(SITE)'

secrets: venv ## Make the passwords that SITE's vault lacks; touches no host
	$(call playbook,secrets) $(ARGS)

# --- Proof ---------------------------------------------------------------------------------------

smoke: venv ## Run every smoke check against SITE; changes nothing
	$(call playbook,smoke) $(if $(V),-v) $(ARGS)

update: venv ## Bring newer packages and a newer Asterisk to SITE, drained, and prove that it works
	$(call playbook,update) $(ARGS)

registrations: venv ## Say which phones are registered with SITE, and who has the new password
	$(call playbook,status) $(ARGS)

blocked: venv ## Say what is blocked in front of SITE, why, since when, and how many packets were dropped
	$(call playbook,blocked) $(ARGS)

render: venv ## Write what a run would deploy to artifacts/<site>/<host>/rendered, without any host
	$(call playbook,render) $(ARGS)

phones: venv ## Write a sheet per extension for setting up its softphone, to artifacts/<site>/<host>/phones
	$(call playbook,phones) $(ARGS)

# Scenarios mostly wait for calls to ring and bans to end, so the rest is done beside them.
test: venv ## Everything: lint, unit tests, every scenario with real calls
	@$(MAKE) --no-print-directory --jobs=2 scenarios beside

beside: venv
	@mkdir -p .cache
	@MAKEFLAGS= $(MAKE) --no-print-directory lint unit > .cache/beside.log 2>&1; code=$$?; cat .cache/beside.log; exit $$code

lint: venv ## Static checks
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/yamllint --strict .
	$(VENV)/ansible-lint --offline
	$(VENV)/python docs/generate.py --check

unit: venv ## Unit tests
	$(VENV)/pytest $(ARGS)

scenarios: engine ## Every molecule scenario, or those in SCENARIOS
	@for scenario in $(SCENARIOS); do \
	    rm -f .cache/failed-tests; \
	    lab/with-docker $(VENV)/molecule $(if $(V),--debug) test --scenario-name "$$scenario" && continue; \
	    echo "Scenario $$scenario failed. Its failed tests, if it got that far:"; \
	    cat .cache/failed-tests 2>/dev/null; \
	    exit 1; \
	done

bench: engine ## Print the budgets as ratios (makes the lab anew; takes a while)
	@$(LAB) bench

# --- Housekeeping --------------------------------------------------------------------------------

docs: venv ## Write docs/variables.md from the roles
	$(VENV)/python docs/generate.py

venv: ## Make .venv from requirements.lock, if that has not been done
	@lab/make-venv

engine: venv ## Install and start a Docker engine, if none answers
	@$(VENV)/python -m lab $(if $(V),--verbose) engine

clean: venv ## Remove the lab with its images and passwords, and the engine's process if the lab started it
	@$(LAB) clean

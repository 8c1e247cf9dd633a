# The papers' pipeline. `make` runs every notebook of the mini profile, `make help` lists the rest.
#
#   make                        everything, offline, on a CPU
#   make table3                 one table, with whatever has to run before it
#   make PROFILE=smoke          the same notebooks, cut down until they take seconds
#   make DEVICE=cuda            the same on a GPU
#   make SEEDS=persona.jsonl    personas from your own file of seeds (PersonaHub's format; LABELS=csv grades the reader)
#   make SET='votes=folder movielens=folder'   parameters for whichever notebooks declare them (no spaces in values)
#   make -j2                    two notebooks at a time
#
# A notebook runs again when its content has changed: its cells, its parameters, the modules it imports, the files
# it names, or a notebook it follows. Touching a file changes nothing.

PROFILE ?= mini
DEVICE  ?=
SEEDS   ?=
LABELS  ?=
SET     ?=
# Where pip finds torch; on Linux https://download.pytorch.org/whl/cpu avoids several GB of CUDA.
TORCH_INDEX ?=

NOTEBOOKS := $(patsubst notebooks/%.ipynb,%,$(wildcard notebooks/*.ipynb notebooks/*/*.ipynb))
OUT := outputs/$(PROFILE)
RAN := $(OUT)/notebooks
KEY := $(OUT)/keys

# These train the miniature models in models/, which takes hours: only `make models` runs them.
TRAINING := world/w2_clip world/w3_autoencoder world/w4_diffusion world/w7_language world/w9_eye world/w10_adapters

.PHONY: all models
all: $(filter-out $(TRAINING),$(NOTEBOOKS))  ## run every notebook whose content is new (the default)
models: $(TRAINING)  ## train the miniature models (hours; goes on from outputs/<profile>/training, delete that to begin anew)

# ---- The graph: a notebook on the left reads what the one on the right has saved -----------------------------

$(RAN)/vptt/s3_2_vprag.ipynb:    $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s11_statistics.ipynb: $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s3_3_feedback.ipynb: $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s3_4_score.ipynb:    $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s4_2_3_study.ipynb:  $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s4_2_3_tables.ipynb: $(RAN)/vptt/s4_2_3_study.ipynb
$(RAN)/vptt/s10_assets.ipynb:    $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s4_3_panels.ipynb:   $(RAN)/vptt/s4_2_3_study.ipynb
$(RAN)/vptt/s15_1_judge.ipynb:   $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s15_1_judge.ipynb:   $(RAN)/vptt/s10_assets.ipynb
$(RAN)/vptt/s4_2_1_trust.ipynb:  $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s4_2_1_trust.ipynb:  $(RAN)/vptt/s10_assets.ipynb
$(RAN)/vptt/s4_2_1_trust.ipynb:  $(RAN)/vptt/s15_1_judge.ipynb
$(RAN)/vptt/s4_2_2_images.ipynb: $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s4_2_2_images.ipynb: $(RAN)/vptt/s10_assets.ipynb
$(RAN)/vptt/s4_2_2_images.ipynb: $(RAN)/vptt/s15_1_judge.ipynb
$(RAN)/vptt/s4_2_2_images.ipynb: $(RAN)/vptt/s4_2_1_trust.ipynb
$(RAN)/vptt/s7_2_baselines.ipynb: $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s7_2_baselines.ipynb: $(RAN)/vptt/s10_assets.ipynb
$(RAN)/vptt/s7_2_baselines.ipynb: $(RAN)/vptt/s15_1_judge.ipynb
$(RAN)/vptt/s7_2_baselines.ipynb: $(RAN)/vptt/s4_2_1_trust.ipynb
$(RAN)/vptt/s4_3_panels.ipynb:   $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/vptt/s4_3_panels.ipynb:   $(RAN)/vptt/s10_assets.ipynb
$(RAN)/vptt/s4_3_panels.ipynb:   $(RAN)/vptt/s4_2_2_images.ipynb
$(RAN)/world/w1_scenes.ipynb:    $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/world/w5_evaluation.ipynb: $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/world/w6_tastes.ipynb:    $(RAN)/vptt/s4_2_3_study.ipynb
$(RAN)/world/w10_adapters.ipynb: $(RAN)/vptt/s3_1_bench.ipynb
$(RAN)/world/w3_autoencoder.ipynb: $(RAN)/world/w2_clip.ipynb
$(RAN)/world/w4_diffusion.ipynb: $(RAN)/world/w3_autoencoder.ipynb

$(RAN)/zipp/s3_1_encoder.ipynb:  $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/f_1_ablations.ipynb: $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/e_zipbench.ipynb:    $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/e_zipbench.ipynb:    $(RAN)/zipp/s3_1_encoder.ipynb
$(RAN)/zipp/s3_1_personas.ipynb: $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/s3_1_personas.ipynb: $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/s3_1_personas.ipynb: $(RAN)/zipp/s3_1_encoder.ipynb
$(RAN)/zipp/s3_1_personas.ipynb: $(RAN)/zipp/f_1_ablations.ipynb
$(RAN)/zipp/s4_2_rewrites.ipynb: $(RAN)/zipp/s3_1_personas.ipynb
$(RAN)/zipp/s4_2_rewrites.ipynb: $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/s4_2_rewrites.ipynb: $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/s4_2_images.ipynb:   $(RAN)/zipp/s4_2_rewrites.ipynb
$(RAN)/zipp/s4_2_images.ipynb:   $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/s4_2_images.ipynb:   $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/s4_2_2_public.ipynb: $(RAN)/zipp/s3_1_personas.ipynb
$(RAN)/zipp/s4_2_3_pluralism.ipynb: $(RAN)/zipp/s4_2_images.ipynb
$(RAN)/zipp/s4_2_3_pluralism.ipynb: $(RAN)/zipp/s4_2_rewrites.ipynb
$(RAN)/zipp/s4_2_3_pluralism.ipynb: $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/s4_2_4_demographics.ipynb: $(RAN)/zipp/s4_2_2_public.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/s4_2_images.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/s4_2_2_public.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/s4_2_3_pluralism.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/s4_2_4_demographics.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/s3_1_encoder.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/f_1_ablations.ipynb
$(RAN)/zipp/s4_1_baselines.ipynb: $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/s4_1_baselines.ipynb: $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/s4_1_baselines.ipynb: $(RAN)/zipp/s3_1_personas.ipynb
$(RAN)/zipp/s4_1_baselines.ipynb: $(RAN)/zipp/s4_2_images.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/s4_1_baselines.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/s4_2_tables.ipynb:   $(RAN)/zipp/s4_2_rewrites.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/f_1_ablations.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/s3_1_encoder.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/s3_1_personas.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/s4_2_2_public.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/s4_2_3_pluralism.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/s4_2_images.ipynb
$(RAN)/zipp/x3_multiverse.ipynb: $(RAN)/zipp/s4_2_rewrites.ipynb
$(RAN)/zipp/s5_user_study.ipynb: $(RAN)/zipp/s4_2_images.ipynb
$(RAN)/zipp/s5_user_study.ipynb: $(RAN)/zipp/s4_1_baselines.ipynb
$(RAN)/zipp/s5_user_study.ipynb: $(RAN)/zipp/s4_2_rewrites.ipynb
$(RAN)/zipp/s5_user_study.ipynb: $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/zipp/s5_user_study.ipynb: $(RAN)/zipp/s3_1_graph.ipynb

$(RAN)/both/x2_one_bench.ipynb: $(RAN)/zipp/e_zipbench.ipynb
$(RAN)/both/x2_one_bench.ipynb: $(RAN)/zipp/s3_1_graph.ipynb
$(RAN)/both/x2_one_bench.ipynb: $(RAN)/zipp/s3_1_personas.ipynb
$(RAN)/both/x2_one_bench.ipynb: $(RAN)/zipp/s4_1_baselines.ipynb
$(RAN)/both/x2_one_bench.ipynb: $(RAN)/zipp/s4_2_images.ipynb
$(RAN)/both/x2_one_bench.ipynb: $(RAN)/zipp/s4_2_rewrites.ipynb

# The table of claims reads tables as files, so it comes after all that make them.
$(RAN)/both/x4_claims.ipynb: $(RAN)/both/x1_audit.ipynb
$(RAN)/both/x4_claims.ipynb: $(patsubst %,$(RAN)/vptt/%.ipynb,s3_3_feedback s4_2_1_trust s4_2_2_images s4_2_3_tables s7_2_baselines)
$(RAN)/both/x4_claims.ipynb: $(patsubst %,$(RAN)/zipp/%.ipynb,s3_1_encoder s3_1_personas s4_1_baselines s4_2_2_public s4_2_3_pluralism s4_2_4_demographics s4_2_tables s5_user_study x3_multiverse)

# ---- Figures and tables, by the notebook that makes them -----------------------------------------------------

FROM_TABLES := table3 table7 table8 table9 table10 tables7_10 compare_q3 compare_q3_order q3_copying_orders \
               q3_controls q3_controls_copying fig_q3_methods fig_q3_copying fig_q3_controls
FROM_STUDY  := q3_subject
FROM_BENCH  := bench_diversity bench_grounding
FROM_WHO    := bench_stats bench_ranges bench_neighbours fig9 fig10 fig11
FROM_VPRAG  := fig_vprag vprag_alternatives
FROM_FEEDBACK := feedback feedback_intervals feedback_paper fig_feedback
FROM_SCORE  := fig_score score_ascent
FROM_AUDIT  := audit audit_simplex audit_ipf fig_simplex
FROM_ASSETS := fig4
FROM_PANELS := fig2 fig6 fig14 fig15
FROM_JUDGE  := fig_judge_scale
FROM_SCREEN := rating_screen rating_case
FROM_TRIAL  := study_plan study_trial study_pair
FROM_TRUST  := table1 vptt_trust vptt_top_two vptt_concordance vptt_protocol fig1 fig_calibration fig_weights
FROM_Q2     := table2 q2_control q2_trust fig_q2
FROM_WORLD  := world_attributes fig_world fig_world_tastes
FROM_MODELS := mini_clip mini_sd mini_sd_words mini_sd_diversity fig_mini_sd fig_mini_sd_pairs
FROM_TASTES := taste_match taste_gate fig_taste_match fig_taste_panel
FROM_REDDIT := zipp_table8 zipp_ingestion fig_zipp8
FROM_GAT    := zipp_posting zipp_posting_null zipp_encoder_gains zipp_attention_popular fig_zipp_encoders fig_zipp_users \
               fig_zipp_attention
FROM_F1     := zipp_pruning zipp_graph_alternatives fig_zipp9 zipp_residuals_heads
FROM_ZIPB   := zipp_bench zipp_linking zipp_bench_prompts fig_zipp7
FROM_PERSON := zipp_personas zipp_persona_filters
FROM_REWR   := zipp_rewrites zipp_rewrite_taste
FROM_PICT   := fig_zipp_pictures
FROM_PUBLIC := zipp_datasets zipp_public
FROM_PLURAL := zipp_pluralism zipp_contexts fig_zipp6 fig_zipp_pluralism
FROM_DEMO   := zipp_votes zipp_votes_raking zipp_table13 zipp_table14 fig_zipp_groups
FROM_42     := zipp_table1 zipp_controls zipp_arms zipp_table9 zipp_table10 zipp_table11 zipp_table12 zipp_fig3b zipp_fig11 \
               fig_zipp3 fig_zipp10 fig_zipp11
FROM_Z5     := zipp_table15 zipp_study_claims zipp_study_clusters zipp_study_agreement zipp_study_slopes fig_zipp_study
FROM_BASE   := table4 table4_control table4_copying fig7 fig8
FROM_Z41    := zipp_baselines zipp_versus fig_zipp_baselines
FROM_X2     := x2 x2_agreement x2_seconds fig_x2 fig_x2_cost fig_x2_table
FROM_X3     := zipp_multiverse zipp_orders fig_zipp_multiverse
FROM_CLAIMS := claims claims_numbers
FROM_LM     := mini_lm mini_lm_taste mini_lm_words fig_mini_lm
RESULTS     := $(FROM_TABLES) $(FROM_STUDY) $(FROM_BENCH) $(FROM_WHO) $(FROM_VPRAG) $(FROM_FEEDBACK) $(FROM_SCORE) $(FROM_AUDIT) $(FROM_ASSETS) $(FROM_PANELS) $(FROM_JUDGE) $(FROM_SCREEN) $(FROM_TRIAL) $(FROM_TRUST) $(FROM_Q2) \
               $(FROM_WORLD) $(FROM_MODELS) $(FROM_TASTES) $(FROM_LM) $(FROM_REDDIT) $(FROM_GAT) $(FROM_F1) \
               $(FROM_ZIPB) $(FROM_PERSON) $(FROM_REWR) $(FROM_PICT) $(FROM_PUBLIC) $(FROM_PLURAL) $(FROM_DEMO) $(FROM_42) $(FROM_Z5) \
               $(FROM_BASE) $(FROM_Z41) $(FROM_X2) $(FROM_X3) $(FROM_CLAIMS)

$(FROM_TABLES): $(RAN)/vptt/s4_2_3_tables.ipynb
$(FROM_STUDY):  $(RAN)/vptt/s4_2_3_study.ipynb
$(FROM_BENCH):  $(RAN)/vptt/s3_1_bench.ipynb
$(FROM_WHO):    $(RAN)/vptt/s11_statistics.ipynb
$(FROM_VPRAG):  $(RAN)/vptt/s3_2_vprag.ipynb
$(FROM_FEEDBACK): $(RAN)/vptt/s3_3_feedback.ipynb
$(FROM_SCORE):  $(RAN)/vptt/s3_4_score.ipynb
$(FROM_AUDIT):  $(RAN)/both/x1_audit.ipynb
$(FROM_ASSETS): $(RAN)/vptt/s10_assets.ipynb
$(FROM_PANELS): $(RAN)/vptt/s4_3_panels.ipynb
$(FROM_JUDGE):  $(RAN)/vptt/s15_1_judge.ipynb
$(FROM_SCREEN): $(RAN)/vptt/s15_rating_screen.ipynb
$(FROM_TRIAL):  $(RAN)/zipp/g_study_screens.ipynb
$(FROM_TRUST):  $(RAN)/vptt/s4_2_1_trust.ipynb
$(FROM_Q2):     $(RAN)/vptt/s4_2_2_images.ipynb
$(FROM_WORLD):  $(RAN)/world/w1_scenes.ipynb
$(FROM_MODELS): $(RAN)/world/w5_evaluation.ipynb
$(FROM_TASTES): $(RAN)/world/w6_tastes.ipynb
$(FROM_REDDIT): $(RAN)/zipp/s3_1_graph.ipynb
$(FROM_GAT):    $(RAN)/zipp/s3_1_encoder.ipynb
$(FROM_F1):     $(RAN)/zipp/f_1_ablations.ipynb
$(FROM_ZIPB):   $(RAN)/zipp/e_zipbench.ipynb
$(FROM_PERSON): $(RAN)/zipp/s3_1_personas.ipynb
$(FROM_REWR):   $(RAN)/zipp/s4_2_rewrites.ipynb
$(FROM_PICT):   $(RAN)/zipp/s4_2_images.ipynb
$(FROM_PUBLIC): $(RAN)/zipp/s4_2_2_public.ipynb
$(FROM_PLURAL): $(RAN)/zipp/s4_2_3_pluralism.ipynb
$(FROM_DEMO):   $(RAN)/zipp/s4_2_4_demographics.ipynb
$(FROM_42):     $(RAN)/zipp/s4_2_tables.ipynb
$(FROM_Z5):     $(RAN)/zipp/s5_user_study.ipynb
$(FROM_BASE):   $(RAN)/vptt/s7_2_baselines.ipynb
$(FROM_Z41):    $(RAN)/zipp/s4_1_baselines.ipynb
$(FROM_X2):     $(RAN)/both/x2_one_bench.ipynb
$(FROM_X3):     $(RAN)/zipp/x3_multiverse.ipynb
$(FROM_CLAIMS): $(RAN)/both/x4_claims.ipynb
$(FROM_LM):     $(RAN)/world/w8_rewriting.ipynb

.PHONY: $(RESULTS) tables figures compare
$(RESULTS):
	@ls $(OUT)/tables/$@.* $(OUT)/figures/$@.* 2>/dev/null || true

tables: $(filter-out fig%,$(RESULTS))  ## every table, as CSV, Markdown, LaTeX and HTML
figures: $(filter fig%,$(RESULTS))  ## every figure that needs no training, as PNG and PDF
compare: $(FROM_TABLES)  ## print the paper's values beside ours
	@for file in $(OUT)/tables/compare*.md; do test -e $$file && cat $$file && echo; done; true

# ---- How a notebook runs -------------------------------------------------------------------------------------

# An active environment that has the pins is used; otherwise .venv, which is built when it lacks any line of the
# lock. `make PYTHON=...` decides for itself.
ifndef PYTHON
PYTHON := $(shell python3 requirements/check.py >/dev/null 2>&1 && command -v python3)
ifndef PYTHON
PYTHON := .venv/bin/python
INSTALL := $(shell .venv/bin/python requirements/check.py --exact >/dev/null 2>&1 || echo .venv)
endif
endif

RUNNER := $(PYTHON) -m personalab.runner
OPTIONS := --profile $(PROFILE) $(if $(DEVICE),--offer device=$(DEVICE)) $(if $(SEEDS),--offer 'seeds=$(SEEDS)') $(if $(LABELS),--offer 'labels=$(LABELS)') $(foreach one,$(SET),--offer '$(one)')

.DELETE_ON_ERROR:
.PHONY: environment keys $(NOTEBOOKS)
environment: $(INSTALL)

# One target per notebook: make vptt/s3_1_bench
$(NOTEBOOKS): %: $(RAN)/%.ipynb

# The runner writes the target only after every cell has run, so a failed notebook stays out of date.
$(NOTEBOOKS:%=$(RAN)/%.ipynb): $(RAN)/%.ipynb: $(KEY)/%.key
	@$(RUNNER) run $* $(OPTIONS)

# A key file holds a hash of all that its notebook rests on. Every make refreshes them first, but the time of a
# key moves only with its content; the empty recipe (;) has make look at that time again, and the plus sign has
# `make -n` refresh them too, so that it tells the truth.
$(NOTEBOOKS:%=$(KEY)/%.key): keys
	+@:
keys: environment
	+@! command -v $(PYTHON) >/dev/null || $(RUNNER) keys $(OPTIONS)

.PHONY: .venv
.venv:
	python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13) and "python3 is " + sys.version.split()[0] \
	  + ", expected 3.11 or 3.12; put one of those first in PATH")'
	python3 -m venv .venv
	.venv/bin/pip install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(shell grep '^torch==' requirements/cpu.txt)
	.venv/bin/pip install -r requirements/cpu.txt
	.venv/bin/pip install --no-deps -e .
	.venv/bin/python requirements/check.py --exact

# ---- Around it -----------------------------------------------------------------------------------------------

.PHONY: help doctor cost test lint bench lab clean lock
help:  ## this list
	@sed -n '3,9s/^#//p' Makefile
	@echo; echo "Targets"
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/  \1\t\2/p' Makefile | expand -t 14
	@echo; echo "One figure or table"; echo "  $(RESULTS)" | fold -sw 100
	@echo; echo "One notebook"; echo "  $(NOTEBOOKS)" | fold -sw 100

doctor: environment  ## Python, packages against the lock, torch and GPU, disk, MiniLM, test data
	@$(PYTHON) requirements/doctor.py

cost: environment  ## calls, tokens and dollars of a profile's paid models, before anything is sent
	@$(PYTHON) -m personalab.cost $(OPTIONS)

test: environment  ## pytest with coverage; executes every notebook at smoke size
	$(PYTHON) -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=90

.PHONY: .venv-vllm test-vllm
.venv-vllm: .venv-vllm/installed
.venv-vllm/installed: requirements/vllm.txt
	rm -rf .venv-vllm && python3 -m venv .venv-vllm
	.venv-vllm/bin/pip install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(shell grep '^torch==' requirements/vllm.txt)
	.venv-vllm/bin/pip install --no-deps -r requirements/vllm.txt
	touch $@
test-vllm: environment .venv-vllm/installed  ## one model through transformers, vLLM's engine and its server (a venv of its own)
	$(PYTHON) -m pytest tests/vllm -s --durations=20

lint: environment  ## ruff over modules and notebooks; notebooks hold no outputs
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m nbstripout --verify --keep-id --extra-keys \
	  "metadata.papermill cell.metadata.papermill metadata.language_info.version" $(NOTEBOOKS:%=notebooks/%.ipynb)

bench: environment  ## scoring, retrieval, drawing, rendering, graph attention, reading dumps, raking and CMMD beside named peers
	OMP_NUM_THREADS=1 $(PYTHON) tests/bench.py
	$(PYTHON) tests/bench_pictures.py
	$(PYTHON) tests/bench_graph.py
	$(PYTHON) tests/bench_epoch.py --steps 10
	$(PYTHON) tests/bench_reddit.py
	$(PYTHON) tests/bench_metrics.py

lab: environment  ## JupyterLab on the notebooks
	$(PYTHON) -m jupyterlab notebooks

clean:  ## forget the profile's runs and their data; figures, tables, pictures, answers and training stay
	rm -rf $(RAN) $(KEY) $(OUT)/data $(OUT)/cache outputs/cache

# Edit the pins in pyproject.toml, then `make lock`: a fresh environment, torch first, the rest under its pin.
lock:  ## rewrite requirements/cpu.txt from the pins of pyproject.toml
	rm -rf .venv.lock && python3 -m venv .venv.lock
	sed -nE 's/^ *"(torch==[0-9.]+)",/\1/p' pyproject.toml > .venv.lock/torch.txt
	.venv.lock/bin/pip install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -r .venv.lock/torch.txt
	.venv.lock/bin/pip install -c .venv.lock/torch.txt '.[dev]'
	grep '^#' requirements/cpu.txt > .venv.lock/cpu.txt
	.venv.lock/bin/pip freeze --all | sed -E 's/^(torch==[0-9.]+).*/\1/' \
	  | grep -vE '^(personalab|pip==|wheel==|nvidia-|triton|cuda-)' | sort -f >> .venv.lock/cpu.txt
	mv .venv.lock/cpu.txt requirements/cpu.txt && rm -rf .venv.lock

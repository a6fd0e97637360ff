# moldiff on CPUs:
#   docker build -t moldiff .
#   docker run --rm -v "$PWD:/work" moldiff generate -n 32 -o molecules.sdf
FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="moldiff" \
      org.opencontainers.image.version="0.2.0" \
      org.opencontainers.image.licenses="MIT"

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# RDKit draws with libxrender1; xtb is for strain in GFN2-xTB.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libxrender1 libxext6 xtb \
    && rm -rf /var/lib/apt/lists/*

# The steps are those of scripts/quickstart: pinned versions, torch's CPU build.
WORKDIR /opt/moldiff
COPY . .
RUN source scripts/_setup.sh && PIP_NO_CACHE_DIR=1 setup eval

RUN useradd --create-home --uid 1000 moldiff
USER 1000
WORKDIR /work
ENV PATH=/opt/moldiff/.venv/bin:$PATH
ENTRYPOINT ["moldiff"]
CMD ["--help"]

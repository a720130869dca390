# The server in a container, over stdio or HTTP; packaging/compose has several behind a proxy:
#   docker build -t losant-mcp .
#   docker run -i --rm losant-mcp serve --sandbox
#   docker run -i --rm -e LOSANT_API_TOKEN -v losant-mcp:/var/lib/losant-mcp losant-mcp
# The volume keeps backups, plans and the audit trail, which are gone with the container otherwise.

FROM python:3.13-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build

# Dependencies first: they change more seldom than the code.
COPY requirements-server.lock requirements-build.lock ./
RUN python -m venv /opt/losant-mcp \
    && /opt/losant-mcp/bin/pip install --require-hashes -r requirements-server.lock \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements-build.lock

COPY pyproject.toml README.md LICENSE ./
COPY prompts prompts
COPY losant_mcp losant_mcp
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/losant-mcp/bin/pip install --no-deps --no-index dist/*.whl \
    && /opt/losant-mcp/bin/pip uninstall --yes pip


FROM python:3.13-slim-trixie
# A company's own certificate authorities: mount them and set SSL_CERT_FILE.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home losant \
    && install --directory --owner=losant --group=losant --mode=700 /var/lib/losant-mcp

COPY --from=build /opt/losant-mcp /opt/losant-mcp
COPY packaging/docker/health.py /opt/losant-mcp/health.py

ENV PATH=/opt/losant-mcp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOSANT_MCP_STATE_DIR=/var/lib/losant-mcp
USER 10001
WORKDIR /home/losant
VOLUME /var/lib/losant-mcp

HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 \
    CMD ["python", "/opt/losant-mcp/health.py"]

ENTRYPOINT ["losant-mcp"]
CMD ["serve"]

# Callie Caller in a container: the server, the offline engine's weights, nothing else; runs as a user without rights.
#
#   docker build -t callie-caller .
#
# See docker-compose.yml for how it is run: SIP and audio want the host's own network.

FROM node:22-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund
COPY web .
COPY openapi.json /src/openapi.json
RUN npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=web /src/web/dist web/dist
RUN cargo build --release --locked --package callie-server --bin callie

# Without the weights the offline engine greets and records, but does not understand the caller.
FROM node:22-bookworm-slim AS models
COPY scripts/models.sh /src/scripts/models.sh
RUN /src/scripts/models.sh --dir /models

FROM debian:bookworm-slim
# Google's and other services' certificates are checked against the system's roots.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin callie \
    && install --directory --owner callie --mode 0700 /data
COPY --from=build /src/target/release/callie /usr/local/bin/callie
COPY --from=models /models /usr/share/callie/models
# The notices go with every copy of the binary.
COPY THIRD_PARTY /usr/share/doc/callie/THIRD_PARTY
ENV CALLIE_DATA_DIR=/data \
    CALLIE_MODELS_DIR=/usr/share/callie/models
USER callie
WORKDIR /data
VOLUME /data
# It asks as the server is configured, over TLS too.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["callie", "health"]
ENTRYPOINT ["callie"]
CMD ["serve"]

# The images of docker-compose.yml, from source.
#
#   docker build --target proxy --tag github-proxy .
#
# Targets: proxy (Envoy, the filter, the command), webdis, simulator. Plain instructions only, so
# that the builder of any Docker release takes it. Base images have exact tags.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
RUN rustup target add wasm32-wasip1
COPY . .
RUN GITHUB_PROXY_WASM_TOOLCHAIN=rustup scripts/build \
 && cargo build --release --locked --package github-simulator

# The binary alone is taken from it.
FROM envoyproxy/envoy:v1.40.0 AS envoy

FROM debian:12.12-slim AS proxy
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=envoy /usr/local/bin/envoy /usr/local/bin/envoy
COPY --from=build /src/target/release/github-proxy /usr/local/bin/github-proxy
COPY --from=build /src/target/filter/github_proxy.wasm /etc/envoy/github_proxy.wasm
COPY LICENSE /usr/share/doc/github-proxy/LICENSE
# Nobody's number: it owns nothing in here. Only /tmp is written to.
USER 65532:65532
EXPOSE 8080 9901
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9901 && printf 'GET /ready HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && grep -q LIVE <&3"]
ENTRYPOINT ["/usr/local/bin/github-proxy"]
CMD ["run", "--listen", "0.0.0.0:8080", "--admin", "0.0.0.0:9901", "--access-log", "-"]

# Debian's Webdis is the one that the tests run with.
FROM debian:12.12-slim AS webdis
RUN apt-get update \
 && apt-get install --yes --no-install-recommends webdis \
 && rm -rf /var/lib/apt/lists/*
COPY compose/webdis.json /etc/webdis/github-proxy.json
USER 65532:65532
EXPOSE 7379
# Any answer will do: it may not do anything but what the filter asks for.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7379 && printf 'GET /GET/00 HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1' <&3"]
ENTRYPOINT ["/usr/bin/webdis"]
CMD ["/etc/webdis/github-proxy.json"]

FROM debian:12.12-slim AS simulator
COPY --from=build /src/target/release/github-simulator /usr/local/bin/github-simulator
USER 65532:65532
EXPOSE 8081 8082
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081"]
ENTRYPOINT ["/usr/local/bin/github-simulator"]
CMD ["--listen", "0.0.0.0:8081", "--control", "0.0.0.0:8082"]

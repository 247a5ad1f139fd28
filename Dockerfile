# The exporter in an image of its own: no shell, no package, nobody's root.
#
#   docker build --build-arg REVISION=$(git rev-parse --short=12 HEAD) -t aliyun-pca-exporter .
#   docker run --read-only -p 10065:10065 -v $PWD/config.yaml:/etc/aliyun-pca-exporter/config.yaml:ro aliyun-pca-exporter
#
# `--target simulator` builds the pretended cloud of deploy/demo instead.

# Any image of Debian or its relatives with Rust, a C compiler and CA certificates.
ARG RUST_IMAGE=docker.io/library/rust:1-bookworm

FROM ${RUST_IMAGE} AS build
# `dist` is what is shipped.
ARG PROFILE=dist
WORKDIR /src
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# What we depend on, in a layer that lasts until Cargo.lock changes.
COPY Cargo.toml Cargo.lock build.rs ./
RUN mkdir -p src/bin; touch src/lib.rs; tee src/main.rs src/bin/pca-simulator.rs <<<'fn main() {}' >/dev/null; \
    cargo build --locked --profile "$PROFILE" --bin aliyun-pca-exporter --bin pca-simulator
ARG REVISION=unknown
COPY src src
# The files are older than what was built of their stand-ins, which cargo takes for "unchanged".
RUN touch src/lib.rs src/main.rs src/bin/pca-simulator.rs; \
    PCA_REVISION="$REVISION" cargo build --locked --profile "$PROFILE" --bin aliyun-pca-exporter --bin pca-simulator
# The root file systems: the program, the C library that it is linked with, CA certificates. The C library looks names
# up in /etc/hosts and by DNS without further files.
RUN out="target/$PROFILE"; [ "$PROFILE" != dev ] || out=target/debug; \
    for program in aliyun-pca-exporter pca-simulator; do \
    root="/image/$program"; mkdir -p "$root/usr/local/bin"; cp "$out/$program" "$root/usr/local/bin/"; \
    { ldd "$out/$program" | grep -o '/[^ ]*' | sort -u; echo /etc/ssl/certs/ca-certificates.crt; } \
    | xargs cp --parents --dereference --target-directory="$root"; \
    done

FROM scratch AS simulator
COPY --from=build /image/pca-simulator /
USER 65534:65534
EXPOSE 10066
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/pca-simulator"]
CMD ["--listen-address=0.0.0.0:10066"]

FROM scratch
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="aliyun-pca-exporter" \
    org.opencontainers.image.description="Prometheus exporter for private certificate authorities (PCA) on Alibaba Cloud" \
    org.opencontainers.image.source="https://github.com/aliyun-pca-exporter/aliyun-pca-exporter" \
    org.opencontainers.image.documentation="https://github.com/aliyun-pca-exporter/aliyun-pca-exporter#readme" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/aliyun-pca-exporter /
USER 65534:65534
EXPOSE 10065
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/usr/local/bin/aliyun-pca-exporter", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/aliyun-pca-exporter"]
CMD ["--config.file=/etc/aliyun-pca-exporter/config.yaml"]

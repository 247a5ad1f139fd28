# The exporter in a small image: docker build --build-arg REVISION=$(git rev-parse --short=12 HEAD) -t aliyun-pca-exporter .
FROM docker.io/library/rust:1-bookworm AS build
WORKDIR /src
ARG REVISION=unknown
ENV PCA_REVISION=$REVISION
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
RUN cargo build --locked --profile dist --bin aliyun-pca-exporter

FROM docker.io/library/debian:bookworm-slim
# CA certificates for HTTPS to the API.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/target/dist/aliyun-pca-exporter /usr/local/bin/
USER 65534:65534
EXPOSE 10065
ENTRYPOINT ["/usr/local/bin/aliyun-pca-exporter"]
CMD ["--config.file=/etc/aliyun-pca-exporter/config.yaml"]

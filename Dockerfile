# The daemon and its client in an image that holds nothing else: a static
# program with the world's time zones, root certificates, and a user without
# rights. `make image` makes the same without a container engine; a test
# (tools/image) holds the two together.
#
# The root may be mounted read-only. Written to are /var/lib/daskbot (the SQLite
# store, the first admin token, and charts under .cache) and /tmp (the store's
# own temporary files).
#
# GOPROXY is passed through for builds behind a mirror. TARGETOS and TARGETARCH
# come from the builder, and must not have a value here: it would count more, and
# every platform would get the same program. Empty, Go builds for the machine.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG VERSION=dev
ARG GOPROXY
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api ./api
COPY cmd ./cmd
COPY internal ./internal
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -tags timetzdata -ldflags "-s -w -X main.release=${VERSION}" -o /out/daskbot ./cmd/daskbot \
 && mkdir -p /out/var/lib/daskbot /out/tmp /out/etc && chmod 0700 /out/var/lib/daskbot && chmod 1777 /out/tmp \
 && printf 'root:x:0:0::/:/sbin/nologin\nnonroot:x:65532:65532::/var/lib/daskbot:/sbin/nologin\n' > /out/etc/passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' > /out/etc/group

FROM scratch
COPY --from=build /out/etc/passwd /out/etc/group /etc/
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /out/var/lib/daskbot /var/lib/daskbot
COPY --from=build /out/tmp /tmp
COPY --from=build /out/daskbot /daskbot
ENV HOME=/var/lib/daskbot DASKBOT_STATE=/var/lib/daskbot SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8080
VOLUME /var/lib/daskbot
ENTRYPOINT ["/daskbot"]
CMD ["serve", "--config", "/etc/daskbot/daskbot.yaml"]

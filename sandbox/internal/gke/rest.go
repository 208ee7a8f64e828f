package gke

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxBody bounds a request's body.
const maxBody = 4 << 20

// route is one HTTP binding of a method, read from the protocol itself.
type route struct {
	verb   string
	path   *regexp.Regexp
	fields []protoreflect.Name // what the groups of path fill
	body   string              // "", "*" or a field
	method *grpc.MethodDesc
}

// restHandler maps the REST form of the API to the methods of a Server.
type restHandler struct {
	server *Server
	routes []route
}

// REST is the handler of the API's REST form: every path and verb comes from
// the google.api.http annotations of the protocol.
func (s *Server) REST() (http.Handler, error) {
	h := &restHandler{server: s}
	service := containerpb.File_google_container_v1_cluster_service_proto.Services().ByName("ClusterManager")
	for i := range containerpb.ClusterManager_ServiceDesc.Methods {
		method := &containerpb.ClusterManager_ServiceDesc.Methods[i]
		md := service.Methods().ByName(protoreflect.Name(method.MethodName))
		if md == nil {
			return nil, fmt.Errorf("method %s is not in the protocol", method.MethodName)
		}
		rule, ok := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule)
		if !ok || rule == nil {
			continue
		}
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			binding, err := newRoute(r, method)
			if err != nil {
				return nil, err
			}
			h.routes = append(h.routes, binding)
		}
	}
	return h, nil
}

var variable = regexp.MustCompile(`\\\{(\w+)(=([^}]*))?\\\}`)

// newRoute compiles a path template such as /v1/{name=projects/*}:setSize.
func newRoute(rule *annotations.HttpRule, method *grpc.MethodDesc) (route, error) {
	r := route{method: method, body: rule.GetBody()}
	template := ""
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		r.verb, template = http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		r.verb, template = http.MethodPost, p.Post
	case *annotations.HttpRule_Put:
		r.verb, template = http.MethodPut, p.Put
	case *annotations.HttpRule_Delete:
		r.verb, template = http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		r.verb, template = http.MethodPatch, p.Patch
	}
	// Quote the literal parts, but keep * as the wildcard it is.
	quoted := strings.ReplaceAll(regexp.QuoteMeta(template), `\*`, "*")
	pattern := variable.ReplaceAllStringFunc(quoted, func(v string) string {
		m := variable.FindStringSubmatch(v)
		r.fields = append(r.fields, protoreflect.Name(m[1]))
		if m[3] == "" {
			return "([^/:]+)"
		}
		return "(" + strings.ReplaceAll(m[3], "*", "[^/:]+") + ")"
	})
	var err error
	if r.path, err = regexp.Compile("^" + pattern + "$"); err != nil {
		return r, fmt.Errorf("path %s: %w", template, err)
	}
	return r, nil
}

func (h *restHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, route := range h.routes {
		groups := route.path.FindStringSubmatch(r.URL.Path)
		if groups == nil || route.verb != r.Method {
			continue
		}
		answer, err := h.call(route, groups[1:], r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeMessage(w, r, answer)
		return
	}
	writeError(w, status.Errorf(codes.NotFound, "The requested URL %s was not found on this server.", r.URL.Path))
}

// call runs a method as the gRPC server would, interceptor and all.
func (h *restHandler) call(route route, groups []string, r *http.Request) (proto.Message, error) {
	ctx := r.Context()
	if auth := r.Header.Get("Authorization"); auth != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", auth))
	}
	decode := func(into any) error {
		m, ok := into.(proto.Message)
		if !ok {
			return status.Error(codes.Internal, "the request is no message")
		}
		return route.decode(m, groups, r)
	}
	answer, err := route.method.Handler(h.server, ctx, decode, h.server.intercept)
	if err != nil {
		return nil, err
	}
	m, ok := answer.(proto.Message)
	if !ok {
		return nil, status.Error(codes.Internal, "the answer is no message")
	}
	return m, nil
}

// decode fills a request from body, path and query, in this order.
func (r *route) decode(m proto.Message, groups []string, request *http.Request) error {
	if r.body != "" {
		body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
		if err != nil {
			return status.Errorf(codes.InvalidArgument, "The request body could not be read: %v", err)
		}
		if len(body) > 0 {
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, m); err != nil {
				return status.Errorf(codes.InvalidArgument, "Invalid JSON payload received. %v", err)
			}
		}
	}
	for i, field := range r.fields {
		if err := setField(m, field, groups[i]); err != nil {
			return err
		}
	}
	for key, values := range request.URL.Query() {
		if strings.HasPrefix(key, "$") || key == "alt" || key == "prettyPrint" || len(values) == 0 {
			continue
		}
		if err := setField(m, protoreflect.Name(key), values[0]); err != nil {
			return err
		}
	}
	return nil
}

// setField sets a string field by its protocol or JSON name. Fields of other
// types in the query are of methods the sandbox does not have.
func setField(m proto.Message, name protoreflect.Name, value string) error {
	fields := m.ProtoReflect().Descriptor().Fields()
	fd := fields.ByName(name)
	if fd == nil {
		fd = fields.ByJSONName(string(name))
	}
	if fd == nil {
		return status.Errorf(codes.InvalidArgument, "Invalid JSON payload received. Unknown name %q: Cannot bind query parameter.", name)
	}
	if fd.Kind() == protoreflect.StringKind && !fd.IsList() {
		m.ProtoReflect().Set(fd, protoreflect.ValueOfString(value))
	}
	return nil
}

func writeMessage(w http.ResponseWriter, r *http.Request, m proto.Message) {
	options := protojson.MarshalOptions{UseEnumNumbers: wantsNumbers(r.URL.Query())}
	data, err := options.Marshal(m)
	if err != nil {
		writeError(w, status.Error(codes.Internal, err.Error()))
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(data) // the client is gone when this fails
}

// wantsNumbers says whether enums are asked for as numbers, as Google's Go
// client does with $alt=json;enum-encoding=int.
func wantsNumbers(query url.Values) bool {
	return strings.Contains(query.Get("$alt"), "enum-encoding=int")
}

var httpStatus = map[codes.Code]int{
	codes.InvalidArgument: 400, codes.FailedPrecondition: 400, codes.OutOfRange: 400, codes.Unauthenticated: 401,
	codes.PermissionDenied: 403, codes.NotFound: 404, codes.AlreadyExists: 409, codes.Aborted: 409,
	codes.ResourceExhausted: 429, codes.Canceled: 499, codes.Unimplemented: 501, codes.Unavailable: 503, codes.DeadlineExceeded: 504,
}

var statusNames = map[codes.Code]string{
	codes.InvalidArgument: "INVALID_ARGUMENT", codes.FailedPrecondition: "FAILED_PRECONDITION", codes.Unauthenticated: "UNAUTHENTICATED",
	codes.PermissionDenied: "PERMISSION_DENIED", codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS", codes.Aborted: "ABORTED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.Canceled: "CANCELLED", codes.Unimplemented: "UNIMPLEMENTED",
	codes.Unavailable: "UNAVAILABLE", codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.Internal: "INTERNAL",
}

// writeError writes an error as Google's APIs do.
func writeError(w http.ResponseWriter, err error) {
	st := status.Convert(err)
	code, ok := httpStatus[st.Code()]
	if !ok {
		code = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	body := map[string]any{"error": map[string]any{"code": code, "message": st.Message(), "status": statusNames[st.Code()]}}
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}

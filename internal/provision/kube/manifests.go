package kube

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/daskbot/daskbot/internal/environment"
)

// Apply applies every object of a YAML text under daskbot's field manager. An
// object that names no namespace goes to the given one.
//
// Errors: CodeInvalid for text that is no manifest or that the API server
// refuses; CodeUnavailable while the cluster does not know a kind yet, because
// the chart that brings its definition was only just installed (try again).
func (c *Client) Apply(ctx context.Context, t environment.Target, namespace, manifests string) error {
	return c.each(t, namespace, manifests, func(l *link, objects []*unstructured.Unstructured) error {
		for _, o := range objects {
			resource, err := l.resource(o, namespace)
			if err != nil {
				return err
			}
			labels := o.GetLabels()
			if labels[labelManagedBy] == "" {
				if labels == nil {
					labels = map[string]string{}
				}
				labels[labelManagedBy] = managedBy
				o.SetLabels(labels)
			}
			if _, err := resource.Apply(ctx, o.GetName(), o, applyOptions); err != nil {
				return kindGone(err)
			}
		}
		return nil
	})
}

// Remove asks for the deletion of the objects in a YAML text, last one first.
// Objects and kinds that do not exist are success.
func (c *Client) Remove(ctx context.Context, t environment.Target, namespace, manifests string) error {
	return c.each(t, namespace, manifests, func(l *link, objects []*unstructured.Unstructured) error {
		background := metav1.DeletePropagationBackground
		for _, o := range slices.Backward(objects) {
			resource, err := l.resource(o, namespace)
			if meta.IsNoMatchError(err) {
				continue
			}
			if err != nil {
				return err
			}
			err = resource.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
		return nil
	})
}

func (c *Client) each(t environment.Target, namespace, manifests string, do func(*link, []*unstructured.Unstructured) error) error {
	objects, err := parse(manifests)
	if err != nil {
		return &environment.Error{Code: environment.CodeInvalid, Message: sayInvalid, Err: err}
	}
	if len(objects) == 0 {
		return nil
	}
	l, err := c.link(t)
	if err != nil {
		return err
	}
	return translate("manifests in "+namespace, do(l, objects))
}

// parse reads a YAML text of several documents; empty ones are skipped.
func parse(manifests string) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	var objects []*unstructured.Unstructured
	for {
		var content map[string]any
		if err := decoder.Decode(&content); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(content) == 0 {
			continue
		}
		o := &unstructured.Unstructured{Object: content}
		if o.GetAPIVersion() == "" || o.GetKind() == "" || o.GetName() == "" {
			return nil, errors.New("a manifest lacks apiVersion, kind or metadata.name")
		}
		objects = append(objects, o)
	}
}

// resource finds the endpoint for an object. Discovery is cached, and read
// once more before a kind is said to be unknown: releases bring new kinds.
func (l *link) resource(o *unstructured.Unstructured, namespace string) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := l.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		l.mapper.Reset()
		mapping, err = l.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return l.dynamic.Resource(mapping.Resource), nil
	}
	if o.GetNamespace() == "" {
		o.SetNamespace(namespace)
	}
	return l.dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace()), nil
}

// kindGone explains a 404 on an apply: the object need not exist, so it is its
// kind that is not served (yet), or the namespace that is missing.
func kindGone(err error) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	return &environment.Error{Code: environment.CodeUnavailable, Message: sayUnknownKind, Err: err}
}

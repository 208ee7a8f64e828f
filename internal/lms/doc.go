// Package lms is the way in for learning platforms: signed hooks at
// /hooks/lms/{source}.
//
// It bounds a request, proves on the raw bytes that it comes from the source
// it names, keeps it in the inbox together with the job that will carry it out,
// and answers 200; nothing is done within the request. Work, called by the
// queue, later translates what was kept into commands of the service: one
// source at a time and in the order of receipt, so that "added" and "removed"
// cannot change places.
//
// Of people with several enrollments in a course, which of them go on is noted:
// a platform says one at a time that each is over.
//
// A roster change makes a member, never a cluster, unless the source is
// configured so. What is unknown is accepted and counted; what cannot be
// carried out is parked with the reason and stands in nobody's way.
//
// It does not hold rosters or courses (that is the domain), does not launch
// (LTI), and asks no platform for anything but the keys it signs with.
package lms

# SPDX-License-Identifier: MIT
# What belongs together in one graph, for collection3: the values of the tcpstates plugin.
# Those of other plugins that have the same types look as they do without it.
package Collectd::Graph::Type::TcpStates;

use strict;
use warnings;
use base 'Collectd::Graph::Type';

use Collectd::Graph::Common qw(ident_to_filename);
use URI::Escape qw(uri_escape);

# The graphs of a plugin instance: title, vertical label, and what is in it: areas, on top
# of each other, and lines. tcp_connections is drawn by collection3 itself, as a stack.
my @graphs = (
  [ 'FIN_WAIT2 by owner', 'Sockets',
    [ area => 'current_connections-fin_wait2_held', '0072B2', 'held' ],
    [ area => 'current_connections-fin_wait2_orphaned', 'E69F00', 'orphaned' ],
    # They are part of the held ones.
    [ line => 'current_connections-fin_wait2_stuck', 'C4162A', 'held, stuck' ] ],
  [ 'Stuck in FIN_WAIT1', 'Sockets',
    [ area => 'current_connections-fin_wait1_stuck', 'FADE2A', 'stuck' ] ],
  [ 'Stuck in CLOSE_WAIT', 'Sockets',
    [ area => 'current_connections-close_wait_stuck', 'F2495C', 'stuck' ],
    [ line => 'current_connections-close_wait_unaccepted', '5794F2', 'not accepted' ] ],
  [ 'Orphans', 'Sockets',
    [ area => 'current_connections-orphaned', 'E69F00', 'orphaned' ] ],
  [ 'TIME_WAIT buckets', 'Minisockets',
    [ area => 'current_connections-timewait_buckets', 'B877D9', 'buckets' ] ],
  [ 'Sockets of the machine', 'Sockets',
    [ area => 'current_connections-allocated', '73BF69', 'allocated' ] ],
  [ 'In no state', 'Sockets',
    [ area => 'current_connections-unhashed', 'B877D9', 'unhashed' ] ],
  [ 'Ephemeral ports', 'Ports',
    [ area => 'current_connections-fullest_destination', '5794F2', 'in use' ] ],
  [ 'Range of ephemeral ports', 'Ports',
    [ line => 'gauge-ephemeral_ports', 'C4162A', 'there are' ] ],
  [ 'The oldest', 'Seconds',
    [ line => 'duration-fin_wait1_oldest', 'FADE2A', 'held in FIN_WAIT1' ],
    [ line => 'duration-fin_wait2_oldest', '0072B2', 'held in FIN_WAIT2' ],
    [ line => 'duration-close_wait_oldest', 'F2495C', 'in CLOSE_WAIT' ],
    [ line => 'duration-tcp_fin_timeout', '000000', 'tcp_fin_timeout' ],
    [ line => 'duration-fin_wait2_lifetime', 'E69F00', 'FIN_WAIT2 orphan' ] ],
  [ 'TCP memory', 'Pages',
    [ area => 'gauge-tcp_mem_used', '73BF69', 'used' ],
    [ line => 'gauge-tcp_mem_low', '808080', 'low' ],
    [ line => 'gauge-tcp_mem_pressure', 'FF9830', 'pressure' ],
    [ line => 'gauge-tcp_mem_high', 'C4162A', 'high' ] ],
  [ 'Limit of orphans', 'Sockets',
    [ line => 'gauge-tcp_max_orphans', 'C4162A', 'tcp_max_orphans' ] ],
  [ 'Limit of TIME_WAIT buckets', 'Minisockets',
    [ line => 'gauge-tcp_max_tw_buckets', 'C4162A', 'tcp_max_tw_buckets' ] ],
  [ 'Accept queues', 'Connections',
    [ area => 'queue_length-accept_queue', '5794F2', 'waiting' ],
    [ line => 'queue_length-accept_queue_limit', 'C4162A', 'limit' ] ],
  [ 'Near the limit', 'Percent',
    [ line => 'percent-orphans', 'E69F00', 'orphans' ],
    [ line => 'percent-timewait_buckets', 'B877D9', 'TIME_WAIT buckets' ],
    [ line => 'percent-tcp_mem', '37872D', 'TCP memory' ],
    [ line => 'percent-accept_queue', '5794F2', 'fullest accept queue' ],
    [ line => 'percent-ephemeral_ports', '8F6B3A', 'ephemeral ports' ] ],
);

# Each graph is {graph, files}: its entry above and the files by value; or {file}, of a
# value that is in none.
sub _graphs
{
  my ($obj) = @_;
  my (%by_instance, @single, @ret);

  for my $file (@{$obj->{'files'}})
  {
    my $value = $file->{'type'} . '-' . ($file->{'type_instance'} // '');
    my $known = $file->{'plugin'} eq 'tcpstates'
      && grep { $_->[1] eq $value } map { @$_[2 .. $#$_] } @graphs;

    if (!$known)
    {
      push (@single, {file => $file});
      next;
    }
    $by_instance{"$file->{'hostname'}/" . ($file->{'plugin_instance'} // '')}{$value} = $file;
  }
  for my $instance (sort (keys (%by_instance)))
  {
    my $files = $by_instance{$instance};
    push (@ret, map { {graph => $_, files => $files} }
      grep { grep { $files->{$_->[1]} } @$_[2 .. $#$_] } @graphs);
  }
  return (@ret, @single);
}

sub getGraphsNum
{
  my ($obj) = @_;
  my @all = _graphs ($obj);
  return (scalar (@all));
}

sub getGraphArgs
{
  my ($obj, $index) = @_;
  my $graph = (_graphs ($obj))[$index];

  if ($graph->{'file'})
  {
    local $obj->{'files'} = [$graph->{'file'}];
    return ($obj->SUPER::getGraphArgs (0));
  }

  my (undef, undef, @parts) = @{$graph->{'graph'}};
  my @files = grep { defined } map { $graph->{'files'}{$_->[1]} } @parts;
  my @args = map { "$_=" . uri_escape ($files[0]{$_}) }
    grep { defined ($files[0]{$_}) } qw(hostname plugin plugin_instance type);
  push (@args, map { 'type_instance=' . uri_escape ($_->{'type_instance'}) } @files);
  return (join (';', @args));
}

sub getRRDArgs
{
  my ($obj, $index) = @_;
  my $graph = (_graphs ($obj))[$index];

  if ($graph->{'file'})
  {
    local $obj->{'files'} = [$graph->{'file'}];
    return ($obj->SUPER::getRRDArgs (0));
  }

  my ($title, $vertical, @parts) = @{$graph->{'graph'}};
  my $source = $obj->getDataSources ()->[0];
  my @ret = ('-v', $vertical, '-l', '0');
  my $i = 0;

  for my $part (@parts)
  {
    my ($how, $value, $color, $name) = @$part;
    my $ident = $graph->{'files'}{$value} or next;
    my $file = ident_to_filename ($ident);

    $file =~ s/:/\\:/g;
    $name = sprintf ('%-20s', $name);
    unshift (@ret, '-t', "$title ($ident->{'plugin_instance'})") if ($i == 0);
    push (@ret,
      (map { 'DEF:' . lc ($_) . "$i=$file:$source:$_" } qw(AVERAGE MAX)),
      $how eq 'area' ? "AREA:average$i#$color:$name:STACK" : "LINE2:average$i#$color:$name",
      "GPRINT:average$i:AVERAGE:%5.1lf%s Avg,", "GPRINT:max$i:MAX:%5.1lf%s Max,",
      "GPRINT:average$i:LAST:%5.1lf%s Last\\l");
    $i++;
  }
  return (\@ret);
}

1;

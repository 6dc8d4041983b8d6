// Each class has servers of its own; two cores would not carry several such clusters under load at once.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

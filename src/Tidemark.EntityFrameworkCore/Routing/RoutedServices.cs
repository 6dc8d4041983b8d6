namespace Tidemark;

/// <summary>A service that shows that the services of routed contexts were added to an internal service provider.</summary>
internal sealed class RoutedServices;
